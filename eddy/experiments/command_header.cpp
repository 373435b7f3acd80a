// SPDX-License-Identifier: Apache-2.0
#include "eddy/experiments/command_header.h"

#include <fmt/ranges.h>

#include "eddy/core/cpu.h"
#include "eddy/core/number_text.h"
#include "eddy/core/precision.h"
#include "eddy/core/threads.h"
#include "eddy/experiments/checkpoint.h"
#include "eddy/experiments/environment.h"
#include "eddy/experiments/progress.h"
#include "eddy/experiments/text_evaluator.h"
#include "eddy/experiments/training_config_names.h"

namespace eddy {

std::string ill_formed_text(std::int64_t sequences) {
  return fmt::format("{} became U+FFFD (--encoding latin1?)", counted(sequences, "ill-formed UTF-8 sequence"));
}

std::string run_header(const ModelFile& model, const ParameterStore& store, const EncodedDataset& data,
                       const TextTrainer& trainer, const ValidationSplit& split, const std::filesystem::path& output) {
  const TrainingConfig& config = model.config;
  const EncodedCorpus& corpus = data.part("train");
  std::string text = fmt::format("eddy      {}: {}\n", eddy_version(), describe_cpu());
  text +=
      fmt::format("data      {}: {}, {}; {} to train on, {} to validate\n", model.data.path,
                  counted(corpus.size(), "text"), counted(corpus.token_count(), "token"),
                  grouped(trainer.documents_per_epoch()), grouped(static_cast<std::int64_t>(split.validation.size())));
  if (const CutDocuments cut = trainer.cut_documents(); cut.any())
    text += fmt::format("          of those to train on: {}\n", cut.to_string(config.max_length));
  if (data.invalid_sequences > 0) text += fmt::format("          {}\n", ill_formed_text(data.invalid_sequences));
  text += fmt::format("model     {}\n", describe_model(config, store.parameter_count()));
  text += fmt::format("training  {}, learning rate {}, batch {}, {} of {}, seed {}\n", name_of(config.optimizer.kind),
                      config.optimizer.learning_rate, config.batch_size, counted(config.epochs, "epoch"),
                      counted(trainer.batches_per_epoch(), "step"), config.seed);
  if (config.stream_steps == 0 && config.batch_size > trainer.documents_per_epoch())
    text += fmt::format("          a batch has more rows than there are texts to train on, {}; the others stay empty\n",
                        grouped(trainer.documents_per_epoch()));
  if (model.progress.steps > 0) text += fmt::format("resumed   after step {}\n", grouped(model.progress.steps));
  text +=
      fmt::format("output    {}, {}, {}", output.string(), checkpoint_path(output).string(), log_path(output).string());
  return text;
}

std::string take_recorded_arithmetic(const CLI::App& app, const std::filesystem::path& checkpoint) {
  const std::string facts = read_checkpoint_arithmetic(checkpoint);
  std::vector<std::string> lines;
  const std::optional<int> threads = recorded_threads(facts);
  if (threads && *threads != num_threads() && app.count("--threads") == 0) {
    lines.push_back(fmt::format(
        "threads   {}, as in the run that goes on, not the {} that are usual here; --threads says otherwise", *threads,
        num_threads()));
    set_num_threads(*threads);
  }
  const std::optional<Precision> precision = recorded_precision(facts);
  if (precision && *precision != matmul_precision() && app.count("--precision") == 0) {
    lines.push_back(
        fmt::format("precision {}, as in the run that goes on; --precision says otherwise", name_of(*precision)));
    set_matmul_precision(*precision);
  }
  return fmt::format("{}", fmt::join(lines, "\n"));
}

void warn_of_other_bits(const std::filesystem::path& checkpoint) {
  const std::vector<std::string> changes = changed_arithmetic(read_checkpoint_arithmetic(checkpoint));
  if (changes.empty()) return;
  show_text(stderr, fmt::format("eddy: warning: {} was written with other {}; going on does not give the bits of a run "
                                "that was never stopped\n",
                                checkpoint.string(), fmt::join(changes, ", ")));
}

std::string run_summary(const ModelFile& model, const RunOutcome& outcome, const std::filesystem::path& output) {
  const RunProgress& progress = outcome.progress;
  std::string text =
      fmt::format("Done {}: step {}, {}, {}", to_string(outcome.reason, model.config), grouped(progress.steps),
                  counted(progress.tokens, "token"), format_duration(progress.seconds));
  // A run that had ended before it was resumed has no rate.
  if (outcome.tokens_per_second > 0) text += fmt::format(", {} tokens/s", format_count(outcome.tokens_per_second));
  text += '\n';
  if (outcome.best) {
    text += fmt::format("Best validation loss {:.4f}", outcome.best->loss);
    text += is_classification(model.config.task) ? fmt::format(", error {:.2f} %", 100 * outcome.best->error_rate)
                                                 : fmt::format(", perplexity {:.2f}", outcome.best->perplexity());
    text += fmt::format(", at step {}\n", grouped(outcome.best_step));
  }
  return text + fmt::format("The model is in {}", output.string());
}

}  // namespace eddy
