// SPDX-License-Identifier: Apache-2.0
#include "eddy/experiments/text_evaluator.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "eddy/core/clock.h"
#include "eddy/core/error.h"
#include "eddy/core/interrupt.h"
#include "eddy/data/bucket_batches.h"
#include "eddy/data/stream_batches.h"
#include "eddy/experiments/text_trainer_graph.h"

namespace eddy {
namespace {

std::vector<std::int32_t> listed(const EncodedCorpus& corpus, const DocumentList& documents) {
  if (documents) return *documents;
  std::vector<std::int32_t> all(static_cast<std::size_t>(corpus.size()));
  std::iota(all.begin(), all.end(), 0);
  return all;
}

/// Each stream begins without what stands before it, which over so many targets no longer shows in the mean.
constexpr std::int64_t kShortestStream = 4096;
/// More streams make a window no faster.
constexpr std::int64_t kMostStreams = 32;

/// A function of the text alone: the loss must not depend on a batch size that is chosen for speed.
std::int64_t streams_of(const EncodedCorpus& corpus, const std::vector<std::int32_t>& documents) {
  std::int64_t targets = 0;
  for (const std::int32_t document : documents) {
    require<DataError>(document >= 0 && document < corpus.size(), "document {} asked for, the corpus has {}", document,
                       corpus.size());
    targets += corpus.length(document) + 1;
  }
  corpus.drop_pages();
  return std::clamp<std::int64_t>(targets / kShortestStream, 1, kMostStreams);
}

}  // namespace

double Evaluation::perplexity() const { return std::exp(loss); }

std::span<const float> Predictions::row(std::int64_t document) const {
  return std::span(probabilities)
      .subspan(static_cast<std::size_t>(document * classes), static_cast<std::size_t>(classes));
}

std::int32_t Predictions::label(std::int64_t document) const {
  const auto scores = row(document);
  return static_cast<std::int32_t>(std::ranges::max_element(scores) - scores.begin());
}

Evaluation score(const Predictions& predictions, const EncodedCorpus& corpus, const DocumentList& list) {
  const std::vector<std::int32_t> documents = listed(corpus, list);
  Evaluation result;
  std::int64_t wrong = 0;
  for (std::size_t i = 0; i < documents.size(); ++i) {
    const std::int32_t label = corpus.label(documents[i]);
    if (label < 0) continue;
    require<DataError>(label < predictions.classes, "document {} has class {}, the model knows {} classes",
                       documents[i], label, predictions.classes);
    const auto row = static_cast<std::int64_t>(i);
    // The smallest positive float stands for probabilities that vanish, so that one miss does not hide all others.
    const float probability = std::max(predictions.row(row)[static_cast<std::size_t>(label)], 1e-38f);
    result.loss -= std::log(static_cast<double>(probability));
    wrong += predictions.label(row) != label ? 1 : 0;
    ++result.targets;
  }
  require<DataError>(result.targets > 0, "no document of {} has a label to compare with", documents.size());
  result.loss /= static_cast<double>(result.targets);
  result.error_rate = static_cast<double>(wrong) / static_cast<double>(result.targets);
  result.documents = result.targets;
  result.cut = predictions.cut;
  return result;
}

TextEvaluator::TextEvaluator(ParameterStore& store, TrainingConfig config, std::shared_ptr<Arena> arena)
    : store_(&store), config_(std::move(config)), arena_(arena ? std::move(arena) : std::make_shared<Arena>()) {
  check(config_);
}

TextEvaluator::~TextEvaluator() = default;
TextEvaluator::TextEvaluator(TextEvaluator&&) noexcept = default;

Program& TextEvaluator::program(std::int64_t time) { return program(time, config_.batch_size); }

Program& TextEvaluator::program(std::int64_t time, std::int64_t rows) {
  const auto found = programs_.find({time, rows});
  if (found != programs_.end()) return found->second;
  Graph graph;
  TrainingConfig config = config_;
  config.batch_size = rows;
  const TaskGraph task = build_task(graph, *store_, config, time, Mode::infer);
  std::vector<Value> results = {task.loss ? task.loss : task.log_probabilities};
  results.insert(results.end(), task.carried.begin(), task.carried.end());
  CompileOptions options;
  options.arena = arena_;
  return programs_.emplace(std::pair(time, rows), compile(graph, results, std::move(options))).first->second;
}

std::vector<Binding> TextEvaluator::bindings(const Batch& batch) const {
  return task_bindings(config_, batch, Mode::infer);
}

Evaluation TextEvaluator::evaluate(const EncodedCorpus& corpus, const DocumentList& documents) {
  const double start = steady_seconds();
  Evaluation result;
  if (is_classification(config_.task)) {
    result = score(predict(corpus, documents), corpus, documents);
  } else {
    result = config_.stream_steps > 0 ? evaluate_streams(corpus, documents) : evaluate_documents(corpus, documents);
  }
  result.seconds = steady_seconds() - start;
  return result;
}

ProgressOptions TextEvaluator::progress_of(const BucketBatches& batches, const EncodedCorpus& corpus,
                                           const std::vector<std::int32_t>& documents) const {
  ProgressOptions options = progress_;
  options.total = batches.documents_per_epoch();
  // The longest documents come last, so that their number says little of the time left.
  const int end = task_batches(config_, corpus.longest(), Mode::infer).append_eos ? 1 : 0;
  std::int64_t tokens = -batches.cut().tokens;
  for (const std::int32_t document : documents) tokens += corpus.length(document) + end;
  corpus.drop_pages();
  options.total_units = static_cast<double>(tokens);
  return options;
}

Evaluation TextEvaluator::evaluate_documents(const EncodedCorpus& corpus, const DocumentList& documents) {
  BucketBatches batches(corpus, task_batches(config_, corpus.longest(), Mode::infer), documents);
  Evaluation result;
  result.cut = batches.cut();
  Progress progress(progress_of(batches, corpus, listed(corpus, documents)));
  for (std::int64_t i = 0; i < batches.batches_per_epoch(); ++i) {
    stop_if_interrupted();
    const Batch batch = batches.next();
    const std::int64_t targets = predicted_tokens(config_, batch);
    const double loss = program(batch.time()).run(bindings(batch))[0].item();
    result.loss += loss * static_cast<double>(targets);
    result.targets += targets;
    result.documents += batch.real_rows;
    progress.count(batch.real_rows, static_cast<double>(batch.token_count));
  }
  result.loss /= static_cast<double>(result.targets);
  return result;
}

Evaluation TextEvaluator::evaluate_streams(const EncodedCorpus& corpus, const DocumentList& documents) {
  StreamOptions streams = task_streams(config_, Mode::infer);
  streams.batch_size = static_cast<int>(streams_of(corpus, listed(corpus, documents)));
  StreamBatches batches(corpus, streams, documents);
  const std::vector<std::string> names = carried_names(config_);
  const Shape state{streams.batch_size, config_.model.encoder.hidden_size};
  std::vector<Tensor> states(names.size());
  for (Tensor& tensor : states) tensor = Tensor(f32, state);
  Evaluation result;
  result.documents = documents ? static_cast<std::int64_t>(documents->size()) : corpus.size();
  ProgressOptions shown = progress_;
  shown.total = batches.batches_per_epoch();
  Progress progress(std::move(shown));
  for (std::int64_t i = 0; i < batches.batches_per_epoch(); ++i) {
    stop_if_interrupted();
    const Batch batch = batches.next();
    std::vector<Binding> inputs = bindings(batch);
    for (std::size_t s = 0; s < names.size(); ++s) inputs.push_back({names[s], states[s]});
    const auto results = program(batch.time(), streams.batch_size).run(inputs);
    result.loss += static_cast<double>(results[0].item()) * static_cast<double>(batch.target_count);
    result.targets += batch.target_count;
    for (std::size_t s = 0; s < names.size(); ++s) states[s].copy_from(results[s + 1]);
    progress.count(1, static_cast<double>(batch.target_count));
  }
  result.loss /= static_cast<double>(result.targets);
  return result;
}

Predictions TextEvaluator::predict(const EncodedCorpus& corpus, const DocumentList& documents) {
  require<UsageError>(is_classification(config_.task), "a model for the task {} has no classes to predict",
                      to_string(config_.task));
  const std::vector<std::int32_t> wanted = listed(corpus, documents);
  Predictions result;
  result.classes = config_.model.classes;
  const auto classes = static_cast<std::size_t>(result.classes);
  result.probabilities.resize(wanted.size() * classes);
  if (wanted.empty()) return result;
  // A document that is listed twice is computed once for each place; both get the same numbers.
  std::vector<std::pair<std::int32_t, std::size_t>> places;
  for (std::size_t i = 0; i < wanted.size(); ++i) places.emplace_back(wanted[i], i);
  std::ranges::sort(places);
  BucketBatches batches(corpus, task_batches(config_, corpus.longest(), Mode::infer), wanted);
  result.cut = batches.cut();
  Progress progress(progress_of(batches, corpus, wanted));
  for (std::int64_t i = 0; i < batches.batches_per_epoch(); ++i) {
    stop_if_interrupted();
    const Batch batch = batches.next();
    const auto log_probabilities = program(batch.time()).run(bindings(batch))[0].values<float>();
    for (std::size_t row = 0; row < static_cast<std::size_t>(batch.real_rows); ++row) {
      const std::int32_t document = batch.documents[row];
      const auto source = log_probabilities.subspan(row * classes, classes);
      for (auto at = std::ranges::lower_bound(places, std::pair<std::int32_t, std::size_t>(document, 0));
           at != places.end() && at->first == document; ++at)
        std::ranges::transform(source, result.probabilities.begin() + static_cast<std::ptrdiff_t>(at->second * classes),
                               [](float x) { return std::exp(x); });
    }
    progress.count(batch.real_rows, static_cast<double>(batch.token_count));
  }
  return result;
}

}  // namespace eddy
