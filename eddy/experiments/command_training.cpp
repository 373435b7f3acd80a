// SPDX-License-Identifier: Apache-2.0
#include "eddy/experiments/command_training.h"

#include <fmt/ranges.h>

#include <csignal>
#include <set>

#include "eddy/core/error.h"
#include "eddy/experiments/checkpoint.h"
#include "eddy/experiments/command_from.h"
#include "eddy/experiments/command_header.h"
#include "eddy/experiments/command_training_flags.h"
#include "eddy/experiments/environment.h"
#include "eddy/experiments/progress_interrupt.h"
#include "eddy/experiments/run_report.h"

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
      "{}: is not the data that {} was trained on; it has changed since", model.data.path, where);
}

/// Prefixes that fit nothing are slips of the pen.
void check_clip_exclude(const OptimizerSettings& optimizer, const ParameterStore& store) {
  std::set<std::string> groups;
  for (const auto& variable : store.all())
    if (variable->trainable) groups.insert(variable->name.substr(0, variable->name.find('/')));
  for (const std::string& prefix : optimizer.clip_excluded) {
    const bool found = std::ranges::any_of(
        store.all(), [&](const auto& variable) { return variable->trainable && variable->name.starts_with(prefix); });
    require<UsageError>(found, "--clip-exclude {}: no parameter's name begins so; they begin with {}", prefix,
                        fmt::join(groups, ", "));
  }
}

/// Whether --overwrite may replace the file: a model, even a damaged one, or nothing of worth.
bool is_model(const fs::path& file) {
  std::error_code error;
  if (file.extension() == ".safetensors" || fs::file_size(file, error) == 0) return true;
  try {
    read_checkpoint_metadata(file);
    return true;
  } catch (const DataError&) {
    return false;
  }
}

std::string resume_command(const CommandLine& line, bool resumed) {
  std::string command = line.text;
  for (const std::string_view drop : {" --overwrite"})
    if (const auto at = command.find(drop); at != std::string::npos) command.erase(at, drop.size());
  return resumed ? command : command + " --resume";
}

}  // namespace

void fit_to_data(ModelFile& model, const EncodedDataset& data) {
  model.text.vocabulary = data.vocabulary;
  model.config.model.vocabulary_size = data.vocabulary.size();
  model.config.model.word_counts = data.vocabulary.counts();
  model.config.model.end_of_sequence = Vocabulary::kEndOfSequence;
  if (!is_classification(model.config.task)) return;
  require<DataError>(data.label_names.size() >= 2, "{}: has {} classes, expected at least 2{}", model.data.path,
                     data.label_names.size(), data.label_names.empty() ? " (--label-column for tsv and csv)" : "");
  model.text.label_names = data.label_names;
  model.config.model.classes = static_cast<std::int64_t>(data.label_names.size());
}

TrainingCommand::TrainingCommand(CLI::App& subcommand, const CommandLine& command_line, TrainingConfig defaults)
    : app(subcommand), line(command_line), data(subcommand), text(subcommand), config(subcommand, std::move(defaults)) {
  subcommand.add_option("-o,--output", output, "Model file to write; its checkpoint and log stand beside it")
      ->type_name("FILE")
      ->required()
      ->group("Output");
  CLI::Option* going_on =
      subcommand
          .add_flag("--resume", resume, "Go on from the checkpoint of --output, with the same bits as if never stopped")
          ->group("Output");
  subcommand.add_flag("--overwrite", overwrite, "Start anew where --output or its checkpoint exists")
      ->excludes(going_on)
      ->group("Output");
  subcommand.add_option("--checkpoint-minutes", checkpoint_minutes, "Minutes between checkpoints; 0: only at the end")
      ->check(CLI::Range(0.0, 1e6).description(""))
      ->capture_default_str()
      ->group("Output");
  subcommand.add_option("--checkpoint-steps", checkpoint_steps, "Also a checkpoint after so many steps; 0: not")
      ->check(CLI::Range(std::int64_t{0}, std::int64_t{1} << 40).description(""))
      ->capture_default_str()
      ->group("Output");
  subcommand.add_option("--log-steps", log_steps, "Steps that one line of the log sums up")
      ->check(CLI::Range(std::int64_t{0}, std::int64_t{1} << 40).description(""))
      ->capture_default_str()
      ->group("Output");
  subcommand
      .add_option("--report", report, "Folder for a report of the run when it is done: a page with curves and errors")
      ->type_name("DIR")
      ->group("Output");
  subcommand
      .add_option("--tensorboard", tensorboard, "Folder for an event file that TensorBoard reads, with all the log has")
      ->type_name("DIR")
      ->group("Output");
  subcommand.add_flag("--quiet", quiet, "No progress, no header")->group("Output");
  subcommand.add_option("--config", config_file, "JSON file of a training config; flags go before it")
      ->type_name("FILE")
      ->group("Training");
  subcommand.add_option("--from", from, "Pretrained model: its architecture, vocabulary and weights")
      ->type_name("FILE")
      ->group("Model");
  add_model_flags(config);
  add_optimizer_flags(config);
  add_limit_flags(config);
  add_thread_flag(subcommand);
}

ModelFile TrainingCommand::plan(const ModelFile& defaults) {
  check_places();
  lock_.reset(new OutputLock(OutputLock::of_file(checkpoint_path(output))));
  ModelFile model = resume ? resumed() : started(defaults);
  check_given_flags(app, model.config);
  require<UsageError>(
      model.config.optimizer.schedule.kind != ScheduleKind::plateau || model.config.validation_fraction > 0,
      "--schedule plateau goes by the validation loss, but --validation is 0");
  check_inputs(model);
  return model;
}

std::string TrainingCommand::origin() const {
  return resume || config_file.empty() ? checkpoint_path(output).string() : config_file;
}

ModelFile TrainingCommand::started(const ModelFile& defaults) {
  check_output();
  const ModelFile base = from.empty() ? defaults : base_on(from, defaults);
  ModelFile model = base;
  if (!config_file.empty()) model.config = training_config_from_json(read_file(config_file), config_file, model.config);
  config.apply(model.config);
  data.apply(model.data);
  text.apply(model.text.text);
  require<UsageError>(!model.data.path.empty(), "--data is missing; expected a file, a directory or an archive");
  check(model.config);
  if (!from.empty()) check_architecture(base, model);
  return model;
}

ModelFile TrainingCommand::resumed() {
  const fs::path checkpoint = checkpoint_path(output);
  std::error_code error;
  require<UsageError>(fs::exists(checkpoint, error), "there is nothing to resume: {} does not exist",
                      checkpoint.string());
  ModelFile model = read_model_file(checkpoint);
  check_same_from(from, model);
  TrainingConfig wanted = model.config;
  if (!config_file.empty()) wanted = training_config_from_json(read_file(config_file), config_file, wanted);
  config.apply(wanted);
  check(wanted);
  TextConfig wanted_text = model.text.text;
  text.apply(wanted_text);
  const std::vector<std::string> changes = differences(with_limits_of(model.config, wanted), wanted);
  if (!changes.empty())
    fail<UsageError>("--resume cannot change {}; it goes on with the config of {}", fmt::join(changes, ", "),
                     checkpoint.string());
  require<UsageError>(to_json(wanted_text) == to_json(model.text.text),
                      "--resume cannot change how text becomes tokens; it goes on with the config of {}",
                      checkpoint.string());
  model.config = wanted;
  data.apply(model.data);
  return model;
}

void TrainingCommand::check_places() const {
  require<UsageError>(!output.empty(), "--output is empty; expected the name of a file");
  for (const fs::path& path : {fs::path(output), checkpoint_path(output), log_path(output)}) require_writable(path);
  if (!report.empty()) check_report_folder(report);
}

void TrainingCommand::check_output() const {
  for (const fs::path& path : {fs::path(output), checkpoint_path(output)}) {
    std::error_code error;
    if (!fs::exists(path, error)) continue;
    require<UsageError>(overwrite, "{} exists; --resume goes on with it, --overwrite starts anew", path.string());
    require<UsageError>(is_model(path), "{} exists and is no model, so --overwrite does not replace it", path.string());
  }
}

void TrainingCommand::check_inputs(const ModelFile& model) const {
  const std::vector<fs::path> inputs = {model.data.path, model.data.unlabelled, config_file,
                                        resume ? std::string() : model.from};
  for (const fs::path& path : {fs::path(output), checkpoint_path(output), log_path(output)})
    require_no_input("--output", path, inputs);
  require_no_input("--report", report, inputs);
}

RunSettings TrainingCommand::settings() const {
  RunSettings settings;
  settings.output = output;
  settings.checkpoint_seconds = 60 * checkpoint_minutes;
  settings.checkpoint_steps = checkpoint_steps;
  settings.log_steps = log_steps;
  settings.tensorboard = tensorboard;
  if (quiet) settings.progress = ProgressStyle::quiet;
  return settings;
}

int TrainingCommand::train(ModelFile model) {
  const bool fixed_vocabulary = !model.from.empty();
  const auto say = [&](const std::string& message) {
    if (!quiet) show_text(stderr, message + "\n");
  };
  // Who reads what is said may go away before training begins, too.
  const IgnoredSignal pipe(SIGPIPE);
  DataLoading loading;
  loading.cache = data.cache();
  loading.message = say;
  const TextModelVocabulary known = model.text;
  if (fixed_vocabulary) loading.model = &known;
  loading.fixed_labels = fixed_vocabulary && resume && is_classification(model.config.task);
  const EncodedDataset dataset = load_data(model.data, model.text.text, loading);
  const EncodedCorpus& corpus = dataset.part("train");
  if (resume) {
    check_same_data(model, dataset, checkpoint_path(output).string());
  } else {
    fit_to_data(model, dataset);
    check_savable(model);
    model.progress.data_fingerprint = fingerprint(corpus);
  }

  const ValidationSplit split = split_validation(model.config, corpus);
  ParameterStore store(model.config.seed);
  if (resume) load_checkpoint(checkpoint_path(output), store);
  const std::size_t restored = store.all().size();
  create_parameters(store, model.config);
  require<DataError>(!resume || store.all().size() == restored, "{}: holds {} variables, but its config needs {} more",
                     checkpoint_path(output).string(), restored, store.all().size() - restored);
  check_clip_exclude(model.config.optimizer, store);
  if (!resume && !model.from.empty())
    say(to_string(transfer_pretrained(*load_model(model.from).store, store, model.config)));
  TextTrainer trainer(store, model.config, corpus, split.train);
  if (resume) trainer.seek(model.progress.position);
  say(run_header(model, store, dataset, trainer, split, output));
  if (resume) warn_of_other_bits(checkpoint_path(output));

  const InterruptGuard guard;
  const RunOutcome outcome = run_training(trainer, corpus, split.validation, model, settings());
  if (outcome.reason == StopReason::interrupt) {
    show_text(stderr,
              fmt::format("Interrupted after step {}. Everything is saved in {}; to go on:\n  {}\n",
                          outcome.progress.steps, checkpoint_path(output).string(), resume_command(line, resume)));
    return 128 + interrupt_signal();
  }
  say(run_summary(model, outcome, output));
  if (report.empty()) return 0;
  try {
    write_run_report(report, output, dataset, split.validation, line.text);
  } catch (const Interrupted&) {
    show_text(stderr, "Interrupted before the report was written; eddy evaluate --report writes one.\n");
    return 128 + interrupt_signal();
  }
  say(fmt::format("The report is {}", (fs::path(report) / "index.html").string()));
  return 0;
}

}  // namespace eddy
