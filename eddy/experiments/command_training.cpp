// SPDX-License-Identifier: Apache-2.0
#include "eddy/experiments/command_training.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "eddy/core/error.h"
#include "eddy/core/interrupt.h"
#include "eddy/core/number_text.h"
#include "eddy/experiments/checkpoint.h"
#include "eddy/experiments/command_from.h"
#include "eddy/experiments/command_header.h"
#include "eddy/experiments/command_training_flags.h"
#include "eddy/experiments/environment.h"
#include "eddy/experiments/run_report.h"
#include "eddy/experiments/text_trainer_optimizer.h"
#include "eddy/experiments/training_config_checks.h"

namespace eddy {
namespace {

namespace fs = std::filesystem;

/// Limits may change from run to run; nothing else may.
TrainingConfig with_limits_of(TrainingConfig config, const TrainingConfig& limits) {
  config.epochs = limits.epochs;
  config.max_steps = limits.max_steps;
  config.max_seconds = limits.max_seconds;
  config.patience = limits.patience;
  return config;
}

void check_same_data(const ModelFile& model, const EncodedDataset& data, const std::string& where) {
  require<DataError>(
      fingerprint(data.part("train")) == model.progress.data_fingerprint && data.vocabulary == model.text.vocabulary,
      "{}: is not the data that {} was trained on, or has changed since", model.data.path, where);
  if (!is_classification(model.config.task)) return;
  // Numbered in the order of their names, classes of other names may leave all labels the same.
  const std::vector<std::string>&before = model.text.label_names, &now = data.label_names;
  const auto [old_name, new_name] = std::ranges::mismatch(before, now);
  require<DataError>(before == now, "{}: its classes have other names than those that {} was trained on: {}, not {}",
                     model.data.path, where, new_name == now.end() ? "none" : "\"" + *new_name + "\"",
                     old_name == before.end() ? "none" : "\"" + *old_name + "\"");
}

/// What decides about texts and labels but is not where they are.
DataConfig with_paths_of(DataConfig data, const DataConfig& paths) {
  data.path = paths.path;
  data.unlabelled = paths.unlabelled;
  // It may be said now what was guessed then.
  if (data.format != paths.format && guess_format(data) == guess_format(paths)) data.format = paths.format;
  return data;
}

}  // namespace

void fit_to_data(ModelFile& model, const EncodedDataset& data) {
  const TextConfig& text = model.text.text;
  require<UsageError>(data.vocabulary.size() > Vocabulary::kSpecials,
                      "{}: none of its words is in the vocabulary, with --vocabulary {}, --min-count {} and "
                      "--min-documents {}",
                      model.data.path, text.vocabulary_size, text.min_count, text.min_documents);
  model.text.vocabulary = data.vocabulary;
  model.config.model.vocabulary_size = data.vocabulary.size();
  model.config.model.word_counts = data.vocabulary.counts();
  model.config.model.end_of_sequence = Vocabulary::kEndOfSequence;
  if (!is_classification(model.config.task)) return;
  require<DataError>(data.label_names.size() >= 2, "{}: has {}, expected at least 2{}", model.data.path,
                     counted(std::ssize(data.label_names), "class", "classes"),
                     data.label_names.empty() ? " (--label-column for tsv and csv)" : "");
  // Such a column is that of the texts, but for examples of a few lines.
  const auto classes = static_cast<std::int64_t>(data.label_names.size());
  require<DataError>(model.data.label_column.empty() || classes < 10 || classes < data.part("train").size(),
                     "{}: each of {} has a class of its own; expected classes in column {} (--label-column)",
                     model.data.path, counted(classes, "text"), model.data.label_column);
  model.text.label_names = data.label_names;
  model.config.model.classes = classes;
}

TrainingCommand::TrainingCommand(CLI::App& subcommand, const CommandLine& command_line, TrainingConfig defaults)
    : app(subcommand),
      line(command_line),
      run(subcommand, command_line),
      data(subcommand),
      text(subcommand),
      config(subcommand, std::move(defaults)) {
  subcommand.add_option("--config", config_file, "JSON file of a training config; flags go before it")
      ->type_name("FILE")
      ->group("Training");
  subcommand.add_option("--from", from, "Pretrained model: its architecture, vocabulary and weights")
      ->type_name("FILE")
      ->group("Model");
  add_model_flags(config);
  add_optimizer_flags(config);
  add_batch_flags(config);
  add_limit_flags(config);
  add_computing_flags(subcommand);
}

ModelFile TrainingCommand::plan(const ModelFile& defaults) {
  run.claim();
  ModelFile model = run.resume ? resumed() : started(defaults);
  check_count("epochs", model.config.epochs, 1);
  require<UsageError>(model.config.optimizer.learning_rate > 0, "learning_rate is {}, expected more than 0",
                      model.config.optimizer.learning_rate);
  check_given_flags(app, model.config);
  require<UsageError>(
      model.config.optimizer.schedule.kind != ScheduleKind::plateau || model.config.validation_fraction > 0,
      "--schedule plateau goes by the validation loss, but --validation is 0");
  run.require_no_input({model.data.path, model.data.unlabelled, config_file, run.resume ? std::string() : model.from});
  return model;
}

std::string TrainingCommand::origin() const {
  return run.resume || config_file.empty() ? run.checkpoint().string() : config_file;
}

ModelFile TrainingCommand::started(const ModelFile& defaults) {
  const ModelFile base = from.empty() ? defaults : base_on(from, defaults);
  ModelFile model = base;
  if (!config_file.empty()) model.config = training_config_from_json(read_file(config_file), config_file, model.config);
  config.apply(model.config);
  data.apply(model.data);
  text.apply(model.text.text);
  require<UsageError>(!model.data.path.empty(), "--data is missing; expected a file, a directory or an archive");
  config.check_applied(model.config);
  require_text_model(config_file, model.config);
  if (!from.empty()) check_architecture(base, model);
  return model;
}

ModelFile TrainingCommand::resumed() {
  ModelFile model = read_model_file(run.checkpoint());
  if (const std::string said = take_recorded_arithmetic(app, run.checkpoint()); !said.empty()) run.say(said);
  require_text_model(run.checkpoint(), model.config);
  check_same_from(from, model);
  TrainingConfig wanted = model.config;
  if (!config_file.empty()) wanted = training_config_from_json(read_file(config_file), config_file, wanted);
  config.apply(wanted);
  config.check_applied(wanted);
  TextConfig wanted_text = model.text.text;
  text.apply(wanted_text);
  run.require_unchanged(to_json(with_limits_of(model.config, wanted)), to_json(wanted));
  check_limits(model.config, wanted, model.progress);
  require<UsageError>(to_json(wanted_text) == to_json(model.text.text),
                      "--resume cannot change how text becomes tokens; it goes on with the config of {}",
                      run.checkpoint().string());
  DataConfig wanted_data = model.data;
  data.apply(wanted_data);
  run.require_unchanged(to_json(with_paths_of(model.data, wanted_data)), to_json(wanted_data));
  model.config = wanted;
  model.data = wanted_data;
  return model;
}

/// The data of a new run shape its model; those of a run that goes on must be the same.
EncodedDataset TrainingCommand::load(ModelFile& model) const {
  DataLoading loading;
  loading.cache = data.cache();
  loading.message = [this](const std::string& message) { run.say(message); };
  const TextModelVocabulary known = model.text;
  if (!model.from.empty()) {
    loading.model = &known;
    loading.fixed_labels = run.resume && is_classification(model.config.task);
  }
  EncodedDataset dataset = load_data(model.data, model.text.text, loading);
  if (run.resume) {
    check_same_data(model, dataset, run.checkpoint().string());
  } else {
    fit_to_data(model, dataset);
    check_savable(model);
    model.progress.data_fingerprint = fingerprint(dataset.part("train"));
  }
  return dataset;
}

/// Gives the store what the run begins with: the checkpoint, pretrained weights or fresh ones.
void TrainingCommand::fill(ParameterStore& store, const ModelFile& model) const {
  if (run.resume) load_checkpoint(run.checkpoint(), store);
  const std::size_t restored = store.all().size();
  create_parameters(store, model.config);
  require<DataError>(!run.resume || store.all().size() == restored, "{}: holds {}, but its config needs {} more",
                     run.checkpoint().string(), counted(static_cast<std::int64_t>(restored), "variable"),
                     store.all().size() - restored);
  if (!run.resume) check_parameter_prefixes(model.config.optimizer, store);
  if (!run.resume && !model.from.empty())
    run.say(to_string(transfer_pretrained(*load_model(model.from).store, store, model.config)));
}

int TrainingCommand::train(ModelFile model) {
  // Before training begins reading may be stopped, and who reads what is said go away.
  const InterruptGuard guard;
  const EncodedDataset dataset = load(model);
  const EncodedCorpus& corpus = dataset.part("train");
  const ValidationSplit split = split_validation(model.config, corpus);
  ParameterStore store(model.config.seed);
  fill(store, model);
  TextTrainer trainer(store, model.config, corpus, split.train);
  if (run.resume) trainer.seek(model.progress.position);
  run.say(run_header(model, store, dataset, trainer, split, run.output));
  if (run.resume) warn_of_other_bits(run.checkpoint());

  const RunSettings settings = run.settings();
  const RunOutcome outcome = run_training(trainer, corpus, split.validation, model, settings);
  if (outcome.reason == StopReason::interrupt) return run.interrupted(outcome.progress.steps);
  run.say(run_summary(model, outcome, run.output));
  return run.write_report(
      [&] { return report_of_run(run.output, dataset, split.validation, line.text, settings.progress); },
      "eddy evaluate --report");
}

}  // namespace eddy
