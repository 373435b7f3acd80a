// SPDX-License-Identifier: Apache-2.0
#include "eddy/experiments/classification_parts.h"

#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "eddy/core/file.h"
#include "eddy/core/file_operations.h"
#include "eddy/core/interrupt.h"
#include "eddy/core/precision.h"
#include "eddy/data/checksum.h"
#include "eddy/data/corpus_cache.h"
#include "eddy/data/unicode.h"
#include "eddy/experiments/checkpoint.h"
#include "eddy/experiments/classification_texts.h"
#include "eddy/experiments/json_error.h"
#include "eddy/experiments/part_files.h"
#include "eddy/experiments/progress.h"
#include "eddy/experiments/run_history.h"
#include "eddy/experiments/run_training.h"
#include "eddy/experiments/strict_json.h"
#include "eddy/experiments/text_trainer_optimizer.h"

namespace eddy {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

Json to_json_value(const RunRecord& record) {
  Json curve = Json::array();
  for (const CurvePoint& point : record.curve) curve.push_back({point.epoch, point.train_loss, point.validation});
  return {{"row", record.row},
          {"seed", record.seed},
          {"labels", record.labels},
          {"test_error", record.test_error},
          {"validation", record.validation},
          {"best_epoch", record.best_epoch},
          {"seconds", record.seconds},
          {"tokens_per_second", record.tokens_per_second},
          {"curve", std::move(curve)}};
}

RunRecord from_json_value(const Json& json) {
  RunRecord record;
  json.at("row").get_to(record.row);
  json.at("seed").get_to(record.seed);
  json.at("labels").get_to(record.labels);
  record.test_error = number_or_nan(json.at("test_error"));
  record.validation = number_or_nan(json.at("validation"));
  record.best_epoch = number_or_nan(json.at("best_epoch"));
  record.seconds = number_or_nan(json.at("seconds"));
  record.tokens_per_second = number_or_nan(json.at("tokens_per_second"));
  for (const Json& point : json.at("curve"))
    record.curve.push_back({number_or_nan(point.at(0)), number_or_nan(point.at(1)), number_or_nan(point.at(2))});
  return record;
}

std::uint64_t checksum_of(const fs::path& file) {
  const std::string bytes = read_file(file);
  return checksum64(std::as_bytes(std::span(bytes)));
}

/// Of what made a part. The config as this version writes it, so that files of a version with fewer settings count.
std::string key_of(std::uint64_t inputs, const TrainingConfig& config) {
  CacheKey key;
  key.add_option("inputs", static_cast<std::int64_t>(inputs));
  key.add_option("config", to_json(config));
  return std::to_string(key.hash());
}

/// What a file tells of the part it belongs to.
struct FoundPart {
  std::string key;
  std::optional<RunRecord> record;  ///< of a finished part
};

/// Of a record or a checkpoint.
FoundPart read_part(const fs::path& file) try {
  if (file.extension() == ".json") {
    const Json json = Json::parse(read_file(file));
    return {key_of(json.at("inputs").get<std::uint64_t>(),
                   training_config_from_json(json.at("config").dump(), file.string(), older_files_config())),
            from_json_value(json.at("record"))};
  }
  const ModelFile model = read_model_file(file);
  return {key_of(model.progress.data_fingerprint, model.config), {}};
} catch (const Json::exception& error) {
  fail<DataError>("{}: is no record of a part: {}", file.string(), json_problem(error));
}

/// The curve and the rate of training alone, from the run's log; it has all of the run, however often it was resumed.
void read_log(const fs::path& path, bool classification, double batches_per_epoch, RunRecord& record) {
  const RunHistory history = read_run_history(path);
  for (const RunHistory::Validation& point : history.validation)
    record.curve.push_back({static_cast<double>(point.step) / batches_per_epoch, point.training_loss,
                            classification ? point.error_rate.value_or(std::nan("")) : point.loss});
  record.tokens_per_second = history.tokens_per_second();
}

}  // namespace

TrainingParts::TrainingParts(const ClassificationOptions& options, std::uint64_t data, const EncodedCorpus& corpus,
                             TextModelVocabulary vocabulary)
    : folder_(options.output / "parts"),
      pages_(options.output / "runs"),
      data_(data),
      corpus_(corpus),
      checkpoint_seconds_(options.checkpoint_seconds),
      force_(options.force) {
  model_.text = std::move(vocabulary);
  model_.experiment = options.source.task;
  const ClassificationTask& task = classification_task(options.source.task);
  if (task.own_files) model_.data = completed_reading(options.source);
  model_.data.path = absolute_data_path(options.source.data.string());
  if (!task.own_files) model_.data.format = task.format;
}

std::uint64_t TrainingParts::inputs_of(const TrainingPart& part) const {
  const auto documents = [](const std::vector<std::int32_t>& list) {
    return static_cast<std::int64_t>(checksum64(std::as_bytes(std::span(list))));
  };
  CacheKey key;
  key.add_option("data", static_cast<std::int64_t>(data_));
  key.add_option("train", documents(part.train));
  key.add_option("validation", documents(part.validation));
  if (part.labelled) key.add_option("labelled", *part.labelled);
  if (matmul_precision() != Precision::highest)
    key.add_option("precision", static_cast<std::int64_t>(matmul_precision()));
  if (!part.from.empty()) key.add_option("from", static_cast<std::int64_t>(checksum_of(part.from)));
  return key.hash();
}

std::string TrainingParts::origin_of(const TrainingPart& part) const {
  return repaired_utf8(part.from.parent_path() == folder_ ? part.from.stem().string() : part.from.string());
}

bool TrainingParts::has_weights(const TrainingPart& part) const {
  try {
    read_model_file(model_file(part.name));
    return true;
  } catch (const DataError& error) {
    show_text(stdout,
              fmt::format("{}: its weights cannot be used, so it is done again: {}\n", part.name, error.what()));
    return false;
  }
}

std::array<fs::path, 5> TrainingParts::files_of(const std::string& name) const {
  const fs::path model = model_file(name).filename();
  return {model, log_path(model), checkpoint_path(model), scheduled_path(model), name + ".json"};
}

std::optional<RunRecord> TrainingParts::choose_files(const std::string& name, const std::string& key) {
  const std::array<fs::path, 5> files = files_of(name);
  const fs::path& record = files.back();
  PartFiles part{.name = name,
                 .folder = folder_,
                 .files = {{page(name), fs::path("runs") / name}},
                 .tellers = {record, checkpoint_path(files.front())},
                 .key_of = [](const fs::path& file) { return read_part(file).key; }};
  for (const fs::path& file : files) part.files.push_back({folder_ / file, file});
  choose_part_files(part, key);
  return path_exists(folder_ / record) ? read_part(folder_ / record).record : std::nullopt;
}

void TrainingParts::train(const TrainingPart& part, std::uint64_t inputs, RunRecord& record) {
  RunSettings settings;
  settings.output = model_file(part.name);
  settings.checkpoint_seconds = checkpoint_seconds_;
  settings.of_equals_the_later = true;
  settings.label = part.name;
  const fs::path checkpoint = checkpoint_path(settings.output);
  ModelFile model = model_;
  model.config = part.config;
  model.from = origin_of(part);
  model.progress.data_fingerprint = inputs;

  std::optional<ParameterStore> variables(std::in_place, part.config.seed);
  bool resumed = false;
  if (path_exists(checkpoint)) try {
      const RunProgress found = read_model_file(checkpoint).progress;
      load_checkpoint(checkpoint, *variables);
      model.progress = found;
      resumed = true;
      show_text(stdout, fmt::format("{}: going on after step {}\n", part.name, found.steps));
    } catch (const DataError& error) {
      show_text(stdout,
                fmt::format("{}: its checkpoint cannot be used, so it begins again: {}\n", part.name, error.what()));
      variables.emplace(part.config.seed);  // some may have been read
    }
  ParameterStore& store = *variables;
  if (!resumed) {
    remove_file(settings.output);  // nothing tells what made it
    create_parameters(store, part.config);
    check_parameter_prefixes(part.config.optimizer, store);
    if (!part.from.empty()) transfer_pretrained(*load_model(part.from).store, store, part.config);
  }
  const EncodedCorpus corpus = part.labelled ? corpus_.labelled_until(*part.labelled) : corpus_;
  TextTrainer trainer(store, part.config, corpus, part.train);
  if (resumed) trainer.seek(model.progress.position);
  const RunOutcome outcome = run_training(trainer, corpus_, part.validation, model, settings);
  if (outcome.reason == StopReason::interrupt) throw Interrupted("interrupted");

  const auto batches = static_cast<double>(trainer.batches_per_epoch());
  const bool classification = is_classification(part.config.task);
  read_log(log_path(settings.output), classification, batches, record);
  record.best_epoch = static_cast<double>(outcome.best ? outcome.best_step : outcome.progress.steps) / batches;
  if (outcome.best) record.validation = classification ? outcome.best->error_rate : outcome.best->loss;
  record.seconds += outcome.progress.seconds;
}

RunRecord TrainingParts::run(const TrainingPart& part, RunRecord record,
                             const std::function<void(ParameterStore& store, RunRecord& record)>& finish) {
  make_folder(folder_);
  const std::uint64_t inputs = inputs_of(part);
  std::optional<RunRecord> found = choose_files(part.name, key_of(inputs, part.config));
  if (force_) {
    found.reset();
    for (const fs::path& file : files_of(part.name)) remove_file(folder_ / file);
  }
  if (found && has_weights(part)) {
    show_text(stdout, fmt::format("{}: already done\n", part.name));
    remove_file(checkpoint_path(model_file(part.name)));  // a kill may have come just before this
    return *found;
  }
  train(part, inputs, record);
  if (finish) finish(*load_model(model_file(part.name)).store, record);
  const Json json{{"inputs", inputs},
                  {"config", Json::parse(to_json(part.config))},
                  {"from", origin_of(part)},
                  {"record", to_json_value(record)}};
  write_atomically(folder_ / (part.name + ".json"), json.dump(1));
  remove_file(checkpoint_path(model_file(part.name)));
  return record;
}

}  // namespace eddy
