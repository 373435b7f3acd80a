// SPDX-License-Identifier: Apache-2.0
#include "eddy/experiments/classification.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <numeric>
#include <optional>
#include <set>

#include "eddy/core/clock.h"
#include "eddy/core/interrupt.h"
#include "eddy/core/number_text.h"
#include "eddy/core/rounding.h"
#include "eddy/data/corpus_cache.h"
#include "eddy/experiments/classification_data.h"
#include "eddy/experiments/classification_parts.h"
#include "eddy/experiments/classification_presets.h"
#include "eddy/experiments/classification_report.h"
#include "eddy/experiments/classification_settings.h"
#include "eddy/experiments/distinct.h"
#include "eddy/experiments/naive_bayes.h"
#include "eddy/experiments/progress.h"
#include "eddy/experiments/run_report.h"
#include "eddy/experiments/text_evaluator.h"

namespace eddy {
namespace {

namespace fs = std::filesystem;
using Documents = std::vector<std::int32_t>;

/// A warm-up takes at most one step in so many.
constexpr std::int64_t kLeastOfWarmUp = 10;

Documents range(std::int64_t begin, std::int64_t end) {
  Documents documents(static_cast<std::size_t>(end - begin));
  std::iota(documents.begin(), documents.end(), static_cast<std::int32_t>(begin));
  return documents;
}

class Experiment {
 public:
  explicit Experiment(const ClassificationOptions& options)
      : options_(options),
        data_(load_classification_data(options)),
        parts_(options, data_.identity, train(), {options.text, data_.encoded.vocabulary, data_.encoded.label_names}) {
    results_.labelled = data_.labelled;
    results_.unlabelled = train().size() - data_.labelled;
    results_.test = test().size();
    results_.tokens = train().token_count() + test().token_count();
    results_.vocabulary = data_.encoded.vocabulary.size();
    results_.classes = static_cast<std::int64_t>(data_.encoded.label_names.size());
    results_.test_in_unlabelled = static_cast<std::int64_t>(data_.test_in_unlabelled.size());
    results_.test_in_train = data_.test_in_train;
    for (const std::int64_t labels : options.labels) {
      require<UsageError>(labels >= 0 && labels <= data_.labelled, "{} asked for, the data has {}",
                          counted(labels, "label"), grouped(data_.labelled));
      results_.labels.push_back(labels == 0 ? data_.labelled : labels);
      require<UsageError>(held_out(results_.labels.back()) > 0,
                          "{} label is asked for, which leaves none to train on beside one to validate; expected two",
                          results_.labels.back());
    }
    check_distinct("the number of labels", results_.labels);
  }

  ClassificationResults run() {
    if (options_.naive_bayes) add_baselines();
    for (const std::uint64_t seed : options_.seeds) {
      for (const ClassificationRow& row : options_.rows) pretrain(row, seed);
      for (const std::int64_t labels : results_.labels)
        for (const ClassificationRow& row : options_.rows) classify(row, seed, labels);
    }
    return results_;
  }

 private:
  const EncodedCorpus& train() const { return data_.encoded.part("train"); }
  const EncodedCorpus& test() const { return data_.encoded.part("test"); }

  void add_baselines() {
    const std::int64_t vocabulary = data_.encoded.vocabulary.size();
    const auto evaluate = [&](const char* row, std::int64_t count) {
      const double start = steady_seconds();
      const std::int64_t first = held_out(count);
      const double smoothing =
          choose_smoothing(train(), range(0, first), range(first, count), vocabulary, results_.classes);
      const NaiveBayes model(train(), range(0, count), vocabulary, results_.classes, smoothing);
      const double error = model.error_rate(test(), range(0, test().size()));
      results_.baselines.push_back({row, count, error, steady_seconds() - start});
      results_.seconds += results_.baselines.back().seconds;
      show_text(stdout, fmt::format("{}: {}, test error {:.1f} %\n", row, counted(count, "label"), 100 * error));
    };
    for (const std::int64_t labels : results_.labels) evaluate("naive Bayes", labels);
    if (std::ranges::find(results_.labels, data_.labelled) == results_.labels.end())
      evaluate("naive Bayes, all labels", data_.labelled);
  }

  /// Where the validation part of the first `labels` documents begins: of one at least.
  std::int64_t held_out(std::int64_t labels) const {
    const double part = options_.validation_fraction * static_cast<double>(labels);
    return labels - std::max<std::int64_t>(static_cast<std::int64_t>(part), part > 0 ? 1 : 0);
  }

  /// As many batches as the training makes of them in an epoch.
  std::int64_t batches_of(const TrainingConfig& config, const Documents& documents) const {
    const auto batches = [](std::int64_t count, std::int64_t size) { return round_up(count, size) / size; };
    if (config.stream_steps == 0) return batches(static_cast<std::int64_t>(documents.size()), config.batch_size);
    std::int64_t tokens = 0;
    for (const std::int32_t document : documents) tokens += train().length(document) + 1;
    return batches(tokens, config.batch_size * config.stream_steps);
  }

  /// The config of a part, with what seed, data and the number of its steps decide.
  TrainingConfig fitted(const std::string& part, TrainingConfig config, std::uint64_t seed,
                        const Documents& documents) const {
    config.seed = seed;
    fit_to_vocabulary(config.model, data_.encoded.vocabulary.size());
    config.model.word_counts = data_.encoded.vocabulary.counts();
    config.model.classes = results_.classes;
    std::int64_t steps = config.epochs * batches_of(config, documents);
    if (config.max_steps > 0) steps = std::min(steps, config.max_steps);
    ScheduleSettings& schedule = config.optimizer.schedule;
    // Few texts are soon read: most steps must have the full rate still.
    if (const std::int64_t most = steps / kLeastOfWarmUp; schedule.warm_up_steps > most) {
      show_text(stdout, fmt::format("{}: warms up for {}, not {}: a tenth of its {}\n", part, counted(most, "step"),
                                    grouped(schedule.warm_up_steps), grouped(steps)));
      schedule.warm_up_steps = most;
    }
    if (schedule.kind == ScheduleKind::cosine)
      schedule.decay_steps = std::max<std::int64_t>(1, steps - schedule.warm_up_steps);
    return config;
  }

  /// Runs a part, for the report with what it was made with.
  RunRecord run_part(const TrainingPart& part, const RunRecord& record, const std::string& base,
                     const std::function<void(ParameterStore&, RunRecord&)>& finish = {}) {
    if (record.seed == options_.seeds.front()) results_.configs.push_back({part.name, base, part.config});
    return parts_.run(part, record, finish);
  }

  static std::string pretraining_part(const ClassificationRow& row, std::uint64_t seed) {
    return fmt::format("{}-seed{}", row.pretraining_name(), seed);
  }

  /// The file of what the row's pretraining ends with.
  fs::path weights_after(const ClassificationRow& row, std::uint64_t seed) const {
    return begins_as_it_is(options_, row) ? options_.from : parts_.model_file(pretraining_part(row, seed));
  }

  /// What the row begins with, unless an earlier row has it.
  void pretrain(const ClassificationRow& row, std::uint64_t seed) {
    const std::string name = row.pretraining_name();
    if (name.empty() || begins_as_it_is(options_, row) || !pretrained_.insert(pretraining_part(row, seed)).second)
      return;
    const std::optional<ClassificationRow> before = row.before_pretraining();
    if (before) pretrain(*before, seed);
    const bool goes_on = row.pretraining == options_.from_pretraining;
    const std::string_view base = row.pretraining == Pretraining::language_model ? "language_model"
                                  : row.pretraining == Pretraining::autoencoder  ? "autoencoder"
                                                                                 : "pooled_autoencoder";
    TrainingPart part;
    part.name = pretraining_part(row, seed);
    if (before) part.from = weights_after(*before, seed);
    if (goes_on) part.from = options_.from;
    part.train = data_.pretraining;
    part.validation = data_.pretraining_validation;
    part.config = fitted(part.name, pretraining_config(options_, row), seed, part.train);
    const auto report = [&](ParameterStore&, RunRecord& record) {
      const bool rows = part.config.row_width > 0;
      show_text(stdout, fmt::format("{}: {}, {:.0f} s, {:.0f} {}/s\n", part.name,
                                    rows ? fmt::format("squared error {:.4f}", record.validation)
                                         : fmt::format("perplexity {:.1f}", std::exp(record.validation)),
                                    record.seconds, record.tokens_per_second, rows ? "numbers" : "tokens"));
    };
    RunRecord record{.row = name, .seed = seed, .curve = {}};
    // Its time is that of all that was needed.
    const double seconds_before =
        before && !begins_as_it_is(options_, *before) ? pretraining_record(*before, seed).seconds : 0;
    record.seconds = seconds_before;
    results_.pretraining.push_back(run_part(part, record, std::string(base), report));
    results_.seconds += results_.pretraining.back().seconds - seconds_before;
  }

  const RunRecord& pretraining_record(const ClassificationRow& row, std::uint64_t seed) const {
    return *std::ranges::find_if(results_.pretraining, [&](const RunRecord& record) {
      return record.row == row.pretraining_name() && record.seed == seed;
    });
  }

  void classify(const ClassificationRow& row, std::uint64_t seed, std::int64_t labels) {
    TrainingPart part;
    part.name = fmt::format("{}-{}-labels-seed{}", row.file_name(), labels, seed);
    if (row.pretraining != Pretraining::none) part.from = weights_after(row, seed);
    part.train = range(0, held_out(labels));
    part.validation = range(held_out(labels), labels);
    const TrainingConfig config = classifier_config(options_, row);
    const std::string base = part.from.empty()                        ? "classifier_scratch"
                             : row.perturbation == Perturbation::none ? "classifier"
                                                                      : "classifier_perturbed";
    // Virtual adversarial training learns from texts without label too, and from those whose label is held back; they
    // count for the schedule.
    if (config.task == TrainingTask::classifier && learns_without_labels(config)) {
      std::ranges::copy_if(data_.pretraining, std::back_inserter(part.train),
                           [&](std::int32_t document) { return document >= labels; });
      if (labels < data_.labelled) part.labelled = static_cast<std::int32_t>(labels);
    }
    part.config = fitted(part.name, config, seed, part.train);
    RunRecord record{.row = row.name(), .seed = seed, .labels = labels, .curve = {}};
    const auto finish = [&](ParameterStore& store, RunRecord& tested) { test_once(part, store, tested); };
    results_.runs.push_back(options_.refit ? refit(part, record, base) : run_part(part, record, base, finish));
    results_.seconds += results_.runs.back().seconds;
    results_.pages.push_back(part.name);
  }

  /// Chooses the number of epochs with the validation part, then trains for as many with it, and tests that model.
  RunRecord refit(TrainingPart part, const RunRecord& record, const std::string& base) {
    TrainingPart choice = part;
    choice.name += "-choice";
    const RunRecord chosen = run_part(choice, record, base);
    part.train.insert(part.train.end(), part.validation.begin(), part.validation.end());
    part.validation.clear();
    part.config.epochs = static_cast<std::int64_t>(std::ceil(chosen.best_epoch));
    part.config.max_steps = 0;
    if (chosen.best_epoch != std::floor(chosen.best_epoch)) {
      const double steps = chosen.best_epoch * static_cast<double>(batches_of(part.config, part.train));
      part.config.max_steps = std::max<std::int64_t>(1, std::llround(steps));
    }
    part.config =
        fitted(part.name, part.config, record.seed, part.train);  // a cosine ends with the last step of this run
    return run_part(part, record, base, [&](ParameterStore& store, RunRecord& tested) {
      tested.validation = chosen.validation;
      tested.best_epoch = chosen.best_epoch;
      tested.curve = chosen.curve;
      tested.seconds += chosen.seconds;
      test_once(part, store, tested);
    });
  }

  void test_once(const TrainingPart& part, ParameterStore& store, RunRecord& record) const {
    const double start = steady_seconds();
    const Documents documents = range(0, test().size());
    TextEvaluator evaluator(store, part.config);
    evaluator.show_progress(pass_progress(part.name + " test"));
    const ClassificationResult tested = classification_result(
        "test", evaluator.predict(test(), documents), test(), documents,
        {options_.text, data_.encoded.vocabulary, data_.encoded.label_names}, part.config.row_width);
    record.test_error = tested.scores.error_rate;
    record.seconds += steady_seconds() - start;
    write_report(parts_.page(part.name), run_report(facts_of(part, store, tested)));
    show_text(stdout,
              fmt::format("{}: test error {:.1f} % (validation {:.1f} %, epoch {:.3g} of {:.3g}), {:.0f} s\n",
                          part.name, 100 * record.test_error, 100 * record.validation, record.best_epoch,
                          record.curve.empty() ? record.best_epoch : record.curve.back().epoch, record.seconds));
  }

  /// For the report of one run, beside that of the experiment.
  RunFacts facts_of(const TrainingPart& part, const ParameterStore& store, const ClassificationResult& tested) const {
    RunFacts facts{.title = part.name,
                   .model = read_model_file(parts_.model_file(part.name)),
                   .parameters = store.parameter_count(),
                   .history = read_run_history(log_path(parts_.model_file(part.name))),
                   .classified = {tested},
                   .evaluated = {},
                   .command = options_.command};
    return facts;
  }

  const ClassificationOptions& options_;
  ClassificationData data_;
  ClassificationResults results_;
  TrainingParts parts_;
  std::set<std::string> pretrained_;
};

/// What a run trains replaces what other settings made.
void check_from(const ClassificationOptions& options) {
  if (options.from.empty()) return;
  const fs::path parts = fs::weakly_canonical(options.output / "parts"), from = fs::weakly_canonical(options.from);
  const bool inside = std::ranges::mismatch(parts, from).in1 == parts.end();
  require<UsageError>(!inside, "{}: is a part of this experiment's own folder, {}; expected a copy, or another folder",
                      options.from.string(), options.output.string());
}

}  // namespace

ClassificationResults run_classification(const ClassificationOptions& options) {
  require<UsageError>(!options.rows.empty(), "no row to train; expected one at least, such as \"lm\"");
  require<UsageError>(!options.seeds.empty(), "no seed; expected one at least");
  check_rows(options);
  check_from(options);
  const InterruptGuard guard;
  ClassificationResults results = Experiment(options).run();
  write_classification_report(options, results);
  return results;
}

}  // namespace eddy
