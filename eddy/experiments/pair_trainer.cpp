// SPDX-License-Identifier: Apache-2.0
#include "eddy/experiments/pair_trainer.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "eddy/core/interrupt.h"
#include "eddy/experiments/pair_inputs.h"
#include "eddy/graph/program.h"
#include "eddy/optimizers/minimize.h"

namespace eddy {
namespace {

struct BatchSize {
  std::int64_t source = 0;
  std::int64_t target = 0;
  std::int64_t rows = 0;

  auto operator<=>(const BatchSize&) const = default;
};

PairBatchOptions batch_options(int rows, bool shuffle, std::uint64_t seed) {
  return {.batch_size = rows, .sizes = {}, .shuffle = shuffle, .seed = seed};
}

/// Of frames counts what counts without them: the text and its first end, neither the go before it nor the filling.
void leave_out_filling(PairBatch& batch, const SpecialTokens& specials) {
  const auto targets = batch.target_out.values<std::int32_t>();
  const auto mask = batch.target_mask.values<float>();
  const auto rows = static_cast<std::size_t>(batch.rows());
  for (std::size_t row = 0; row < rows; ++row) {
    bool ended = false;
    for (std::size_t at = row; at < targets.size(); at += rows) {
      if (ended || targets[at] == specials.go) mask[at] = 0;
      ended = ended || targets[at] == specials.end;
    }
  }
}

}  // namespace

class PairTrainer::Programs {
 public:
  Programs(ParameterStore& store, PairModel model, const PairTrainingOptions& options, std::int64_t steps)
      : store_(store), model_(std::move(model)), options_(options), steps_(steps) {}

  const PairModel& model() const { return model_; }
  const PairTrainingOptions& options() const { return options_; }

  double train(const PairBatch& batch) {
    Program& program = training({batch.source_time(), batch.target_time(), batch.rows()});
    return static_cast<double>(program.run(pair_bindings(batch))[0].item());
  }

  Program& training(const BatchSize& size) {
    auto found = training_.find(size);
    if (found == training_.end()) {
      Graph graph;
      const Value loss = model_.loss(store_, pair_inputs(graph, size.source, size.target, size.rows));
      const Updates updates = minimize(
          loss, store_,
          adam({.learning_rate = cosine_decay(options_.learning_rate, steps_), .clip_norm = options_.clip_norm}));
      found = training_.emplace(size, compile(graph, {loss, updates}, {.arena = arena_})).first;
    }
    return found->second;
  }

  /// Tokens i32[steps, rows] and attention, if there is any; valid until the next run.
  std::span<const Tensor> decode(const PairBatch& batch, std::int64_t steps) {
    const BatchSize size{batch.source_time(), model_.fixed_length ? 0 : steps, batch.rows()};
    auto found = decoding_.find(size);
    if (found == decoding_.end()) {
      Graph graph;
      const Value source = graph.input("source", i32, {size.source, size.rows});
      const Value mask = graph.input("source_mask", f32, {size.source, size.rows});
      const GreedySequence decoded = model_.decode(store_, source, mask, steps);
      std::vector<Value> results{decoded.tokens};
      if (decoded.attention) results.push_back(decoded.attention);
      found = decoding_.emplace(size, compile(graph, results, {.arena = arena_})).first;
    }
    return found->second.run({{"source", batch.source}, {"source_mask", batch.source_mask}});
  }

 private:
  ParameterStore& store_;
  PairModel model_;
  PairTrainingOptions options_;
  std::int64_t steps_;
  std::shared_ptr<Arena> arena_ = std::make_shared<Arena>();
  std::map<BatchSize, Program> training_, decoding_;
};

PairTrainer::PairTrainer(ParameterStore& store, PairModel model, const PairTrainingOptions& options,
                         const EncodedPairs& pairs, std::vector<std::int32_t> training)
    : training_(std::move(training)),
      batches_(pairs, batch_options(options.batch_size, true, options.seed), training_) {
  require<UsageError>(options.epochs >= 1, "training needs at least one epoch, not {}", options.epochs);
  programs_ = std::make_unique<Programs>(store, std::move(model), options,
                                         std::max<std::int64_t>(1, options.epochs * batches_.batches_per_epoch()));
}

PairTrainer::~PairTrainer() = default;

std::int64_t PairTrainer::batches_per_epoch() const { return batches_.batches_per_epoch(); }

void PairTrainer::make_variables() {
  const PairSize size = batches_.sizes().front();
  programs_->training({size.source, size.target, programs_->options().batch_size});
}

void PairTrainer::seek(std::int64_t epoch) { batches_.seek({.epoch = epoch, .index = 0}); }

PairTrainer::StepResult PairTrainer::step() {
  const PairBatch batch = batches_.next();
  const double loss = programs_->train(batch);
  require<Error>(std::isfinite(loss), "the loss became {}; a lower learning rate than {} may help", loss,
                 programs_->options().learning_rate);
  return {.loss = loss, .tokens = static_cast<double>(batch.target_count)};
}

SequenceAccuracy PairTrainer::evaluate(const EncodedPairs& pairs, std::span<const std::int32_t> chosen,
                                       ProgressOptions shown) const {
  PairBatches batches(pairs, batch_options(programs_->options().batch_size, false, 1),
                      std::vector<std::int32_t>(chosen.begin(), chosen.end()));
  shown.total = batches.batches_per_epoch();
  Progress progress(std::move(shown));
  SequenceAccuracy accuracy;
  for (std::int64_t i = 0; i < batches.batches_per_epoch(); ++i) {
    stop_if_interrupted();
    PairBatch batch = batches.next();
    const SpecialTokens& specials = pairs.target_tokens.specials();
    if (pairs.targets_complete && specials.end >= 0) leave_out_filling(batch, specials);
    // A target's end token is among its steps: what goes on too long is wrong.
    accuracy.add(programs_->decode(batch, batch.target_time())[0], batch.target_out, batch.target_mask);
    progress.count(1, static_cast<double>(batch.target_count));
  }
  return accuracy;
}

std::vector<DecodedPair> PairTrainer::decode(const EncodedPairs& pairs) const {
  const std::int32_t end = pairs.target_tokens.specials().end;
  const bool knows_length = pairs.targets_complete || end < 0;
  PairBatches batches(pairs, batch_options(1, false, 1));
  std::vector<DecodedPair> decoded(static_cast<std::size_t>(pairs.size()));
  for (std::int64_t i = 0; i < batches.batches_per_epoch(); ++i) {
    stop_if_interrupted();
    const PairBatch batch = batches.next();
    const std::int64_t steps = knows_length ? batch.target_time() : 2 * batch.source_time() + 8;
    const std::span<const Tensor> results = programs_->decode(batch, steps);
    DecodedPair& pair = decoded[static_cast<std::size_t>(batch.pairs[0])];
    auto tokens = results[0].values<std::int32_t>();
    if (knows_length) tokens = tokens.first(static_cast<std::size_t>(batch.target_lengths.values<std::int32_t>()[0]));
    const auto last = end < 0 ? tokens.end() : std::find(tokens.begin(), tokens.end(), end);
    pair.tokens.assign(tokens.begin(), last == tokens.end() ? last : last + 1);
    pair.source_time = batch.source_time();
    if (results.size() > 1) {
      const auto weights = results[1].values<float>();
      pair.attention.assign(weights.begin(),
                            weights.begin() + static_cast<std::ptrdiff_t>(pair.tokens.size()) * pair.source_time);
    }
  }
  return decoded;
}

}  // namespace eddy
