// SPDX-License-Identifier: Apache-2.0
#include <fmt/core.h>

#include <memory>
#include <optional>

#include "eddy/core/cpu.h"
#include "eddy/core/error.h"
#include "eddy/core/interrupt.h"
#include "eddy/core/number_text.h"
#include "eddy/experiments/checkpoint.h"
#include "eddy/experiments/command_flags.h"
#include "eddy/experiments/command_header.h"
#include "eddy/experiments/command_run_flags.h"
#include "eddy/experiments/command_seq2seq.h"
#include "eddy/experiments/command_training_flags.h"
#include "eddy/experiments/run_data.h"
#include "eddy/experiments/run_model.h"
#include "eddy/experiments/seq2seq_report.h"
#include "eddy/experiments/seq2seq_trainer.h"
#include "eddy/experiments/sequence_names.h"

namespace eddy {
namespace {

namespace fs = std::filesystem;
using Config = Seq2SeqConfig;

struct TrainCommand {
  TrainCommand(CLI::App& subcommand, const CommandLine& line)
      : app(subcommand), line(line), run(subcommand, line), flags(subcommand, seq2seq_defaults()) {}

  const CLI::App& app;
  const CommandLine line;
  RunFlags run;
  FlagSet<Config> flags;
};

void add_data_flags(FlagSet<Config>& flags) {
  flags.begin_group("Data");
  flags.value(
      "-d,--data", [](Config & c) -> auto& { return c.data.path; },
      "TSV file of pairs, or a folder or archive with --file in it");
  flags.value(
      "--file", [](Config & c) -> auto& { return c.data.file; }, "The file in it");
  flags.value(
      "--source-column", [](Config & c) -> auto& { return c.data.source_column; }, "From 0");
  flags.value(
      "--target-column", [](Config & c) -> auto& { return c.data.target_column; }, "From 0");
  flags.choice(
      "--encoding", [](auto& c) -> auto& { return c.data.encoding; }, "Encoding of the texts");
  flags.toggle(
      "--keep-case", [](Config & c) -> auto& { return c.data.lower_case; }, false, "Do not lower the case");
  flags.value(
      "--source-words", [](Config & c) -> auto& { return c.data.source_words; }, "Most words to know");
  flags.value(
      "--target-words", [](Config & c) -> auto& { return c.data.target_words; }, "Most words to write");
  flags.value(
      "--min-count", [](Config & c) -> auto& { return c.data.min_count; }, "Words rarer than this are unknown");
  flags.value(
      "--min-documents", [](Config & c) -> auto& { return c.data.min_documents; },
      "And words of fewer different sources, or targets");
  flags.value(
      "--validation", [](Config & c) -> auto& { return c.data.validation; },
      "Sources kept from training, with all their targets; -1: a tenth of them, 1000 at most");
  flags.value(
      "--test", [](Config & c) -> auto& { return c.data.test; }, "The same for the test");
  flags.value(
      "--max-source", [](Config & c) -> auto& { return c.max_source; },
      "Longest source to train on, in words; 0: no limit");
  flags.value(
      "--max-target", [](Config & c) -> auto& { return c.max_target; },
      "Longest target to train on, in words; 0: no limit");
}

void add_model_flags(FlagSet<Config>& flags) {
  add_pair_model_flags(flags);
  flags.choice(
      "--mode", [](auto& c) -> auto& { return c.model.mode; }, "What the decoder reads");
  flags.choice(
      "--energy", [](auto& c) -> auto& { return c.model.energy; }, "How attention compares");
  flags.toggle(
      "--input-feeding", [](Config & c) -> auto& { return c.model.input_feeding; }, true,
      "Attend after each step, and read what was found with the next word (TensorFlow's legacy decoder)");
  flags.value(
      "--encoder-layers", [](Config & c) -> auto& { return c.model.encoder.layers; }, "Layers of the encoder");
  flags.value(
      "--decoder-layers", [](Config & c) -> auto& { return c.model.decoder_layers; }, "Layers of the decoder");
  flags.toggle(
      "--one-way", [](Config & c) -> auto& { return c.model.bidirectional; }, false, "Read the source forwards only");
  flags.toggle(
      "--zero-state", [](Config & c) -> auto& { return c.model.hand_over_state; }, false,
      "Begin the decoder with zeros, not with the encoder's states");
  flags.value(
      "--layer-dropout", [](Config & c) -> auto& { return c.model.encoder.dropout; }, "Between layers of the encoder");
}

void add_training_flags(FlagSet<Config>& flags) {
  add_pair_training_flags(flags);
  flags.choice(
      "--schedule", [](auto& c) -> auto& { return c.optimizer.schedule.kind; }, "Of the learning rate");
  flags.value(
      "--decay-steps", [](Config & c) -> auto& { return c.optimizer.schedule.decay_steps; }, "Of the schedule");
  flags.value(
      "--warm-up", [](Config & c) -> auto& { return c.optimizer.schedule.warm_up_steps; },
      "Steps in which the learning rate rises");
  flags.value(
      "--own-share", [](Config & c) -> auto& { return c.own_share; },
      "Chance that a step reads the decoder's own choice (scheduled sampling)");
  flags.value(
      "--own-share-steps", [](Config & c) -> auto& { return c.own_share_steps; },
      "Steps in which that chance rises from 0");
}

void check_given_flags(const CLI::App& app, const Config& config) {
  check_optimizer_flags(app, config.optimizer);
  const FlagNeeds needs(app);
  const bool attention = config.model.mode == DecoderMode::attention;
  needs("--mode attention", attention, {"--energy", "--attention"});
  needs("--energy additive", config.model.energy == AttentionEnergy::additive, {"--attention"});
  needs("--encoder-layers above 1", config.model.encoder.layers > 1, {"--layer-dropout"});
  needs("a --mode other than basic", config.model.mode != DecoderMode::basic, {"--own-share"});
  needs("--own-share", config.own_share > 0, {"--own-share-steps"});
  needs("--validation", config.data.validation != 0, {"--patience"});
  require<UsageError>(!attention || config.model.energy != AttentionEnergy::dot || !config.model.bidirectional,
                      "--energy dot compares states of one width, but an encoder that reads both ways has twice the "
                      "decoder's; expected --one-way as well, or --energy general");
  require<UsageError>(config.optimizer.schedule.kind != ScheduleKind::plateau || config.data.validation != 0,
                      "--schedule plateau goes by the validation loss, but --validation is 0");
}

Config started(TrainCommand& command) {
  Config config = seq2seq_defaults();
  command.flags.apply(config);
  require<UsageError>(!config.data.path.empty(), "--data is missing; expected a file, a folder or an archive");
  command.flags.check_applied(config);
  return config;
}

Seq2SeqModel resumed(TrainCommand& command) {
  Seq2SeqModel model = read_seq2seq(command.run.checkpoint());
  const std::string said = take_recorded_arithmetic(command.app, command.run.checkpoint());
  if (!said.empty()) command.run.say(said);
  Config wanted = model.config, limits = model.config;
  command.flags.apply(wanted);
  command.flags.check_applied(wanted);
  fit_samples(wanted.model);
  // Limits and where the data are may change; nothing else may.
  limits.epochs = wanted.epochs;
  limits.max_steps = wanted.max_steps;
  limits.max_seconds = wanted.max_seconds;
  limits.patience = wanted.patience;
  limits.data.path = wanted.data.path;
  limits.data.file = wanted.data.file;
  command.run.require_unchanged(to_json(limits), to_json(wanted));
  check_limits(model.config, wanted, model.progress);
  model.config = wanted;
  return model;
}

Seq2SeqModel plan(TrainCommand& command) {
  command.run.claim();
  Seq2SeqModel model;
  if (command.run.resume) {
    model = resumed(command);
  } else {
    model.config = started(command);
  }
  model.config.data.path = absolute_data_path(model.config.data.path);
  check_given_flags(command.app, model.config);
  command.run.require_no_input({pair_source(model.config.data)});
  return model;
}

/// Pairs that are kept from training, as words; nothing when there are none.
std::string left_out(const Config& config, const Seq2SeqData& data) {
  const LeftOutPairs pairs = left_out_pairs(config, data);
  std::string text;
  if (pairs.too_long > 0)
    text += fmt::format("pairs left out of the training, longer than --max-source {} or --max-target {}: {}\n",
                        config.max_source, config.max_target, grouped(pairs.too_long));
  if (pairs.empty > 0)
    text += fmt::format("pairs left out of the training, without a word in the source: {}\n", grouped(pairs.empty));
  return text;
}

/// Which of the models that a run came by is in the output.
std::string kept_model(const Seq2SeqProgress& progress, const PairSplit& split) {
  if (split.validation.empty()) return "no pairs to validate, so the last model is kept";
  if (!progress.validation.has_best) return "no validation loss was finite, so the last model is kept";
  return fmt::format("best validation loss {:.4f} at step {}", progress.validation.best_loss,
                     grouped(progress.validation.best_step));
}

/// The pairs of a new run shape its model; those of a run that goes on must be the same.
Seq2SeqData load(const RunFlags& run, Seq2SeqModel& model) {
  Seq2SeqData data = load_seq2seq_data(model.config, run.resume ? &model : nullptr);
  if (run.resume) {
    require<DataError>(data.fingerprint == model.progress.data_fingerprint,
                       "{}: these are not the pairs that {} was trained on", model.config.data.path,
                       run.checkpoint().string());
    return data;
  }
  fit_to_data(model, data);
  return data;
}

std::string header(const Seq2SeqModel& model, const ParameterStore& store, const Seq2SeqData& data,
                   const std::string& output) {
  const std::int64_t ill_formed = data.pairs.invalid_sequences;
  return fmt::format(
      "eddy seq2seq train: {}\n{}: {} to train, {} to validate, {} to test; {} and {} words\n"
      "{}{}{} decoder, {} parameters, losses of {}; the model is {}",
      describe_cpu(), counted(data.pairs.size(), "pair"), grouped(std::ssize(data.split.train)),
      grouped(std::ssize(data.split.validation)), grouped(std::ssize(data.split.test)),
      grouped(model.source_tokens.size()), grouped(model.target_tokens.size()),
      ill_formed > 0 ? ill_formed_text(ill_formed) + "\n" : "", left_out(model.config, data),
      name_of(model.config.model.mode), grouped(store.parameter_count()),
      model.config.model.softmax_samples > 0 ? counted(model.config.model.softmax_samples, "sampled word")
                                             : "all words",
      output);
}

/// Of the model that was kept. The test part is left to evaluate: what it tells must not choose settings.
Report report_of(const TrainCommand& command, const Seq2SeqData& data) {
  const LoadedSeq2Seq loaded = load_seq2seq(command.run.output);
  Translator translator(loaded, {});
  std::optional<Seq2SeqEvaluation> evaluation;
  const ChosenSources chosen = choose_sources(data, data.split.validation, 0);
  if (chosen.sources > 0)
    evaluation = evaluate_seq2seq(loaded, translator, data, chosen, "validation", "validation part",
                                  command.run.settings().progress);
  return seq2seq_report({.model = command.run.output,
                         .parameters = loaded.store->parameter_count(),
                         .config = loaded.model.config,
                         .pairs = data.pairs.size(),
                         .command = command.line.text},
                        translator, evaluation);
}

int train(TrainCommand& command) {
  const RunFlags& run = command.run;
  Seq2SeqModel model = plan(command);
  const InterruptGuard guard;
  const Seq2SeqData data = load(run, model);
  ParameterStore store(model.config.seed);
  if (run.resume) load_checkpoint(run.checkpoint(), store);
  create_parameters(store, model.config.model);
  run.say(header(model, store, data, run.output));
  if (run.resume) warn_of_other_bits(run.checkpoint());
  const RunSettings settings = run.settings();
  const StopReason reason = run_seq2seq(store, data, model, settings);
  if (reason == StopReason::interrupt) return run.interrupted(model.progress.steps);
  run.say(fmt::format("Done {}: step {}, {}, {}; {}", to_string(reason, model.config), grouped(model.progress.steps),
                      counted(model.progress.tokens, "target token"), format_duration(model.progress.seconds),
                      kept_model(model.progress, data.split)));
  return run.write_report([&] { return report_of(command, data); }, "eddy seq2seq evaluate --report");
}

}  // namespace

Command add_seq2seq_train(CLI::App& group, const CommandLine& line) {
  CLI::App* app = group.add_subcommand("train", "Train on pairs of texts");
  auto command = std::make_shared<TrainCommand>(*app, line);
  add_data_flags(command->flags);
  add_model_flags(command->flags);
  add_training_flags(command->flags);
  add_computing_flags(*app);
  return {app, [command] { return train(*command); }};
}

}  // namespace eddy
