// SPDX-License-Identifier: Apache-2.0
#include "eddy/experiments/pair_experiment.h"

#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "eddy/core/clock.h"
#include "eddy/core/error.h"
#include "eddy/core/file_operations.h"
#include "eddy/core/interrupt.h"
#include "eddy/core/number_text.h"
#include "eddy/data/corpus_cache.h"
#include "eddy/experiments/checkpoint.h"
#include "eddy/experiments/json_error.h"
#include "eddy/experiments/part_files.h"
#include "eddy/experiments/progress.h"
#include "eddy/experiments/report.h"

namespace eddy {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

Json to_json_value(const std::vector<PairEpoch>& curve) {
  Json json = Json::array();
  for (const PairEpoch& epoch : curve)
    json.push_back({epoch.loss, epoch.token_accuracy, epoch.sequence_accuracy, epoch.seconds});
  return json;
}

std::vector<PairEpoch> curve_of(const Json& json) {
  std::vector<PairEpoch> curve;
  for (const Json& epoch : json)
    curve.push_back(
        {epoch.at(0).get<double>(), epoch.at(1).get<double>(), epoch.at(2).get<double>(), epoch.at(3).get<double>()});
  return curve;
}

fs::path parts_folder(const PairExperiment& experiment) { return experiment.output / "parts"; }

std::string key_of(const Json& config) {
  CacheKey key;
  key.add_option("config", config.dump());
  return std::to_string(key.hash());
}

/// Of the settings that made a checkpoint.
std::string key_of_file(const fs::path& file) try {
  return key_of(Json::parse(read_checkpoint_metadata(file).config));
} catch (const Json::exception& error) {
  fail<DataError>("{}: is no checkpoint of such an experiment: {}", file.string(), json_problem(error));
}

/// One model on its way to the end of its epochs, with a checkpoint after each.
class RowRun {
 public:
  RowRun(const PairExperiment& experiment, const PairRow& row)
      : experiment_(experiment),
        row_(row),
        store_(row.training.seed),
        trainer_(store_, row.model, row.training, row.pairs, experiment.split.train),
        file_(parts_folder(experiment) / (row.model.name + ".safetensors")) {
    record_.row = row.model.name;
    trainer_.make_variables();
    record_.parameters = store_.parameter_count();
  }

  PairRecord run() {
    choose_part_files({.name = record_.row,
                       .folder = file_.parent_path(),
                       .files = {{file_, file_.filename()}},
                       .tellers = {file_.filename()},
                       .key_of = key_of_file},
                      key_of(config()));
    if (!experiment_.force) load();
    const auto done = static_cast<std::int64_t>(record_.curve.size());
    if (done < row_.training.epochs) {
      show_text(stdout, fmt::format("{}: {} parameters, {} to train on{}\n", record_.row, grouped(record_.parameters),
                                    counted(std::ssize(experiment_.split.train), "pair"),
                                    done > 0 ? fmt::format(", going on after epoch {}", grouped(done)) : ""));
      train(done);
    } else {
      show_text(stdout, fmt::format("{}: already trained\n", record_.row));
    }
    const SequenceAccuracy accuracy =
        trainer_.evaluate(row_.pairs, experiment_.split.test, pass_progress(record_.row + " test"));
    record_.tested = accuracy.sequences();
    record_.token_accuracy = accuracy.token_accuracy();
    record_.sequence_accuracy = accuracy.sequence_accuracy();
    show_text(stdout, fmt::format("{}: test: {:.2f} % of {} and {:.2f} % of {} right\n", record_.row,
                                  100 * record_.token_accuracy, counted(accuracy.tokens(), "token"),
                                  100 * record_.sequence_accuracy, counted(accuracy.sequences(), "sequence")));
    decode_examples();
    return record_;
  }

 private:
  /// What the weights depend on.
  Json config() const {
    const PairTrainingOptions& training = row_.training;
    return {{"experiment", experiment_.name},          {"data", Json::parse(experiment_.data)},
            {"model", Json::parse(row_.model.config)}, {"epochs", training.epochs},
            {"batch_size", training.batch_size},       {"learning_rate", training.learning_rate},
            {"clip_norm", training.clip_norm},         {"seed", training.seed}};
  }

  void load() {
    if (!path_exists(file_)) return;
    try {
      std::vector<PairEpoch> curve = curve_of(Json::parse(read_checkpoint_metadata(file_).position));
      load_checkpoint(file_, store_, Restore::exact);
      record_.curve = std::move(curve);
    } catch (const Json::exception& error) {
      show_text(stdout, fmt::format("{}: {} cannot be used, so it is made anew: {}\n", record_.row, file_.string(),
                                    json_problem(error)));
    } catch (const DataError& error) {
      show_text(stdout,
                fmt::format("{}: its weights cannot be used, so it is made anew: {}\n", record_.row, error.what()));
    }
  }

  void save() const {
    CheckpointMetadata metadata;
    metadata.config = config().dump();
    metadata.position = to_json_value(record_.curve).dump();
    metadata.vocabulary = row_.pairs.target_tokens.tokens();
    save_checkpoint(file_, store_, metadata);
  }

  void train(std::int64_t done) {
    const std::int64_t batches = trainer_.batches_per_epoch();
    const std::int64_t epochs = row_.training.epochs;
    Progress progress({.label = fmt::format("{} {}", experiment_.name, record_.row),
                       .total = epochs * batches,
                       .done = done * batches});
    trainer_.seek(done);
    for (std::int64_t epoch = done; epoch < epochs; ++epoch) {
      const double start = steady_seconds();
      PairEpoch point;
      for (std::int64_t batch = 0; batch < batches; ++batch) {
        stop_if_interrupted();
        const PairTrainer::StepResult step = trainer_.step();
        point.loss += step.loss / static_cast<double>(batches);
        progress.step(step.loss, step.tokens);
      }
      const SequenceAccuracy accuracy =
          trainer_.evaluate(row_.pairs, experiment_.split.validation, inner_progress("validation"));
      point.token_accuracy = accuracy.token_accuracy();
      point.sequence_accuracy = accuracy.sequence_accuracy();
      point.seconds = steady_seconds() - start;
      record_.curve.push_back(point);
      progress.message(fmt::format(
          "{}: epoch {}/{}, loss {:.5f}; validation: {:.2f} % of tokens and {:.2f} % of "
          "sequences right",
          record_.row, epoch + 1, epochs, point.loss, 100 * point.token_accuracy, 100 * point.sequence_accuracy));
      save();
    }
  }

  void decode_examples() {
    if (row_.examples.size() == 0) return;
    const EncodedPairs& pairs = row_.examples;
    const std::vector<DecodedPair> decoded = trainer_.decode(pairs);
    for (std::int32_t i = 0; i < pairs.size(); ++i) {
      const DecodedPair& pair = decoded[static_cast<std::size_t>(i)];
      PairExample example;
      const std::string& separator = experiment_.separator;
      example.source = pairs.source_tokens.join(pairs.source.document(i), separator);
      example.expected = pairs.target_tokens.join(pairs.target.document(i), separator);
      example.predicted = pairs.target_tokens.join(pair.tokens, separator);
      for (const std::int32_t id : pairs.source.document(i))
        example.source_tokens.emplace_back(pairs.source_tokens.text(id));
      for (const std::int32_t id : pair.tokens) example.predicted_tokens.emplace_back(pairs.target_tokens.text(id));
      example.attention = pair.attention;
      example.source_time = pair.source_time;
      record_.examples.push_back(std::move(example));
    }
  }

  const PairExperiment& experiment_;
  const PairRow& row_;
  ParameterStore store_;
  PairTrainer trainer_;
  fs::path file_;
  PairRecord record_;
};

}  // namespace

double PairRecord::seconds() const {
  double sum = 0;
  for (const PairEpoch& epoch : curve) sum += epoch.seconds;
  return sum;
}

std::vector<PairRecord> run_pair_experiment(const PairExperiment& experiment) {
  const InterruptGuard guard;
  // Before anything is trained that could not be kept.
  make_folder(parts_folder(experiment));
  std::vector<PairRecord> records;
  for (const PairRow& row : experiment.rows) records.push_back(RowRun(experiment, row).run());
  write_pair_report(experiment, records);
  return records;
}

}  // namespace eddy
