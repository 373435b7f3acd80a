// SPDX-License-Identifier: Apache-2.0
#include "eddy/experiments/wordnet.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <memory>
#include <numeric>

#include "eddy/data/corpus_cache.h"
#include "eddy/data/split.h"
#include "eddy/data/wordnet.h"
#include "eddy/experiments/checkpoint.h"
#include "eddy/experiments/naive_bayes.h"
#include "eddy/experiments/progress.h"
#include "eddy/experiments/progress_interrupt.h"
#include "eddy/experiments/text_trainer.h"
#include "eddy/experiments/wordnet_parts.h"
#include "eddy/experiments/wordnet_report.h"

namespace eddy {
namespace {

using Documents = std::vector<std::int32_t>;

/// Documents at the end of the training part whose perplexity is followed during pretraining.
constexpr std::int32_t kPretrainingValidation = 2000;

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

Documents range(std::int64_t begin, std::int64_t end) {
  Documents documents(static_cast<std::size_t>(end - begin));
  std::iota(documents.begin(), documents.end(), static_cast<std::int32_t>(begin));
  return documents;
}

/// The glosses with repeated ones dropped, in random order: part "test", and part "train" whose beginning is labelled.
EncodedDataset load_data(const WordnetOptions& options, WordnetResults& results, std::uint64_t& identity) {
  EncodeOptions encode;
  encode.tokenizer.lower_case = true;
  encode.vocabulary.max_size = options.vocabulary;
  const auto build = [&] {
    Dataset all = read_wordnet(options.wordnet);
    drop_repeated(all);
    const auto count = static_cast<std::int64_t>(all.documents.size());
    const Split split = split_for_pretraining(
        count, {.test = options.test, .labelled = count - options.test, .seed = options.split_seed});
    const Dataset train = subset(all, split.labelled), test = subset(all, split.test);
    const std::vector<DatasetPart> parts{{"train", &train, true}, {"test", &test, false}};
    return encode_dataset(parts, encode);
  };
  CacheKey key;
  key.add_source(options.wordnet).add_option("encode", to_string(encode));
  key.add_option("test", options.test).add_option("split", static_cast<std::int64_t>(options.split_seed));
  identity = key.hash();
  EncodedDataset data = load_or_build(options.cache / "wordnet.cache", key.hash(), build,
                                      [](const std::string& message) { fmt::print("{}\n", message); });
  const EncodedCorpus &train = data.part("train"), &test = data.part("test");
  results.documents = train.size() + test.size();
  results.tokens = train.token_count() + test.token_count();
  results.test = test.size();
  results.classes = static_cast<std::int64_t>(data.label_names.size());
  return data;
}

TextModelVocabulary vocabulary_of(const WordnetOptions& options, const EncodedDataset& data) {
  TextModelVocabulary known{.text = {}, .vocabulary = data.vocabulary, .label_names = data.label_names};
  known.text.vocabulary_size = options.vocabulary;
  return known;
}

/// Values of all trainable variables.
class Snapshot {
 public:
  void take(const ParameterStore& store) {
    for (const auto& variable : store.all()) {
      if (!variable->trainable) continue;
      const auto [saved, fresh] = values_.try_emplace(variable->name, variable->value.type());
      saved->second.copy_from(variable->value);
    }
  }
  void restore(const ParameterStore& store) const {
    for (const auto& [name, value] : values_) store.find(name)->value.copy_from(value);
  }

 private:
  std::map<std::string, Tensor> values_;
};

class Experiment {
 public:
  explicit Experiment(const WordnetOptions& options)
      : options_(options),
        data_(load_data(options, results_, identity_)),
        parts_(options.output, identity_, vocabulary_of(options, data_)) {}

  WordnetResults run() {
    const double start = now();
    if (options_.force) parts_.clear();
    results_.unlabelled = train().size() - *std::ranges::max_element(options_.labels);
    for (const std::int64_t labels : options_.labels) add_baselines(labels);
    for (const std::uint64_t seed : options_.seeds) {
      ParameterStore language_model(seed), autoencoder(seed);
      pretrain(language_model, options_.language_model, "LM", seed);
      pretrain(autoencoder, options_.autoencoder, "SA", seed);
      for (const std::int64_t labels : options_.labels) {
        classify(nullptr, "LSTM", seed, labels);
        classify(&language_model, "LM-LSTM", seed, labels);
        classify(&autoencoder, "SA-LSTM", seed, labels);
      }
    }
    results_.seconds = now() - start;
    return results_;
  }

 private:
  const EncodedCorpus& train() const { return data_.part("train"); }
  const EncodedCorpus& test() const { return data_.part("test"); }

  TrainingConfig seeded(TrainingConfig config, std::uint64_t seed) const {
    config.seed = seed;
    config.model.vocabulary_size = data_.vocabulary.size();
    config.model.classes = results_.classes;
    return config;
  }

  void add_baselines(std::int64_t labels) {
    const auto evaluate = [&](const char* row, std::int64_t count) {
      const double start = now();
      const std::int64_t first = held_out(count);
      const double smoothing =
          choose_smoothing(train(), range(0, first), range(first, count), data_.vocabulary.size(), results_.classes);
      const NaiveBayes model(train(), range(0, count), data_.vocabulary.size(), results_.classes, smoothing);
      const double error = model.error_rate(test(), range(0, test().size()));
      results_.baselines.push_back({row, labels, error, now() - start});
      fmt::print("{}: {} labels, test error {:.1f} %\n", row, count, 100 * error);
    };
    evaluate("naive Bayes", labels);
    evaluate("naive Bayes, all labels", train().size());
  }

  /// Where the validation part of the first `labels` documents begins.
  std::int64_t held_out(std::int64_t labels) const {
    return labels - static_cast<std::int64_t>(options_.validation_fraction * static_cast<double>(labels));
  }

  /// Trains until the epochs are over; `at_epoch_end(epoch, mean training loss)` says whether to go on.
  template <class AtEpochEnd>
  void train_epochs(TextTrainer& trainer, const std::string& part, RunRecord& record, AtEpochEnd&& at_epoch_end) {
    const std::int64_t steps = trainer.batches_per_epoch() * trainer.config().epochs;
    Progress progress({.label = part, .total = steps});
    double seconds = 0, loss = 0, tokens = 0;
    for (std::int64_t step = 1; step <= steps; ++step) {
      const StepResult result = trainer.step();
      stop_if_interrupted();
      seconds += result.seconds;
      tokens += static_cast<double>(result.tokens);
      loss += result.loss;
      progress.step(result.loss, static_cast<double>(result.tokens));
      if (!result.epoch_end) continue;
      const double mean = loss / static_cast<double>(trainer.batches_per_epoch());
      loss = 0;
      if (!at_epoch_end(step / trainer.batches_per_epoch(), mean)) break;
    }
    record.tokens_per_second = seconds > 0 ? tokens / seconds : 0;
  }

  void pretrain(ParameterStore& store, const TrainingConfig& base, const std::string& row, std::uint64_t seed) {
    TrainingConfig config = seeded(base, seed);
    const std::int64_t documents = train().size() - kPretrainingValidation;
    config.optimizer.schedule.decay_steps = config.epochs * (documents / config.batch_size);
    const std::string part = fmt::format("{}-seed{}", row, seed);
    RunRecord record{.row = row, .seed = seed, .curve = {}};
    if (parts_.load(part, config, record, &store)) {
      fmt::print("{}: already done\n", part);
    } else {
      const double start = now();
      TextTrainer trainer(store, config, train(), range(0, documents));
      const Documents validation = range(documents, train().size());
      train_epochs(trainer, part, record, [&](std::int64_t epoch, double loss) {
        const double nats = trainer.evaluate_loss(train(), validation);
        record.curve.push_back({static_cast<double>(epoch), loss, nats});
        return true;
      });
      record.validation = record.curve.back().validation;
      record.best_epoch = static_cast<double>(config.epochs);
      record.seconds = now() - start;
      parts_.save(part, config, record, store);
      fmt::print("{}: perplexity {:.1f}, {:.0f} s, {:.0f} tokens/s\n", part, std::exp(record.validation),
                 record.seconds, record.tokens_per_second);
    }
    results_.pretraining.push_back(record);
  }

  /// A classifier ready to train on the first `documents` labelled glosses, from pretrained weights if there are any.
  std::unique_ptr<TextTrainer> classifier(const ParameterStore* pretrained, const TrainingConfig& config,
                                          ParameterStore& store, std::int64_t documents) const {
    auto trainer = std::make_unique<TextTrainer>(store, config, train(), range(0, documents));
    trainer->program(trainer->times().front());  // makes the variables that weights are transferred to
    if (pretrained != nullptr) transfer(*pretrained, store);
    return trainer;
  }

  /// Trains without the validation part until its error has not fallen for `patience` epochs.
  void choose_epoch(const ParameterStore* pretrained, const TrainingConfig& config, const std::string& part,
                    std::int64_t labels, RunRecord& record) {
    ParameterStore store(config.seed);
    const std::int64_t first = held_out(labels);
    const auto trainer = classifier(pretrained, config, store, first);
    const Documents validation = range(first, labels);
    record.validation = 2;
    train_epochs(*trainer, part, record, [&](std::int64_t epoch, double loss) {
      const double error = trainer->error_rate(train(), validation);
      record.curve.push_back({static_cast<double>(epoch), loss, error});
      // Of equals the later one: with few documents the error has few values, and longer training is the safer choice.
      if (error <= record.validation) {
        record.validation = error;
        record.best_epoch = static_cast<double>(epoch);
      }
      return config.patience == 0 ||
             static_cast<double>(epoch) - record.best_epoch < static_cast<double>(config.patience);
    });
  }

  /// Trains on all labelled glosses for as many epochs, and tests once. `store` keeps the model.
  void refit(const ParameterStore* pretrained, TrainingConfig config, const std::string& part, std::int64_t labels,
             RunRecord& record, ParameterStore& store) {
    config.epochs = static_cast<std::int64_t>(record.best_epoch);
    const auto trainer = classifier(pretrained, config, store, labels);
    train_epochs(*trainer, part + " refit", record, [](std::int64_t, double) { return true; });
    // The store goes to disk as it was tested: with the averaged weights, if there are any.
    Snapshot averaged;
    trainer->with_averaged_weights([&] { averaged.take(store); });
    averaged.restore(store);
    record.test_error = trainer->evaluator().evaluate(test()).error_rate;
  }

  void classify(const ParameterStore* pretrained, const std::string& row, std::uint64_t seed, std::int64_t labels) {
    const TrainingConfig config =
        seeded(pretrained != nullptr ? options_.classifier : options_.classifier_scratch, seed);
    const std::string part = fmt::format("{}-{}-labels-seed{}", row, labels, seed);
    RunRecord record{.row = row, .seed = seed, .labels = labels, .curve = {}};
    if (parts_.load(part, config, record)) {
      fmt::print("{}: already done\n", part);
    } else {
      const double start = now();
      choose_epoch(pretrained, config, part, labels, record);
      ParameterStore store(seed);
      refit(pretrained, config, part, labels, record, store);
      record.seconds = now() - start;
      parts_.save(part, config, record, store);
      fmt::print("{}: test error {:.1f} % (validation {:.1f} %, epoch {:.0f} of {}), {:.0f} s\n", part,
                 100 * record.test_error, 100 * record.validation, record.best_epoch, record.curve.size(),
                 record.seconds);
    }
    results_.runs.push_back(record);
  }

  const WordnetOptions& options_;
  WordnetResults results_;
  std::uint64_t identity_ = 0;
  EncodedDataset data_;
  FinishedParts parts_;
};

}  // namespace

WordnetResults run_wordnet(const WordnetOptions& options) {
  const InterruptGuard guard;
  WordnetResults results = Experiment(options).run();
  write_wordnet_report(options, results);
  return results;
}

}  // namespace eddy
