// SPDX-License-Identifier: Apache-2.0
// The four decoder modes with the equations of jacoxu/encoder_decoder, against the same written out in double.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "eddy/graph/gradient.h"
#include "eddy/models/sequence_decoding.h"
#include "eddy/ops/mul.h"
#include "eddy/ops/sum.h"
#include "tests/models/model_runs.h"
#include "tests/models/plain_vectors.h"
#include "tests/support/arrays.h"
#include "tests/support/finite_differences.h"
#include "tests/support/largest.h"

namespace eddy::test {
namespace {

constexpr DecoderMode kModes[] = {DecoderMode::basic, DecoderMode::feedback, DecoderMode::peek, DecoderMode::attention};

SequenceToSequenceConfig small_jacoxu(DecoderMode mode) {
  SequenceToSequenceConfig config = jacoxu_config(mode);
  config.source_vocabulary = config.target_vocabulary = config.classes = 7;
  config.embedding_size = 4;
  config.encoder.hidden_size = 5;
  return config;
}

const std::vector<Ints> kSources = {{1, 2, 3, 4}, {5, 6, 1, 1}, {3, 3, 2, 6}};
const std::vector<Ints> kTargets = {{2, 0, 4}, {1, 5, 6}, {3, 3, 1}};

Value fed_loss(FedGraph& fed, ParameterStore& store, const SequenceToSequenceConfig& config) {
  const PairValues pairs{.source = fed.feed(columns(kSources, 0)),
                         .source_mask = {},
                         .target_in = {},
                         .target_out = fed.feed(columns(kTargets, 0)),
                         .target_mask = fed.feed(mask_of(kTargets))};
  return sequence_loss(store, config, pairs, Mode::train);
}

/// The model in double precision, one row at a time.
class Reference {
 public:
  Reference(const SequenceToSequenceConfig& config, const std::vector<std::string>& names,
            std::span<const Tensor> tensors)
      : config_(config), size_(static_cast<std::size_t>(config.encoder.hidden_size)) {
    for (std::size_t i = 0; i < names.size(); ++i) weights_[names[i]] = to_doubles(tensors[i]);
  }

  /// Cross entropy of each position, divided by their number.
  Vector losses() const {
    Vector losses;
    const double positions = static_cast<double>(kTargets.size() * kTargets[0].size());
    for (std::size_t row = 0; row < kTargets.size(); ++row) {
      const std::vector<Vector> scores = logits(kSources[row], kTargets[row].size());
      for (std::size_t t = 0; t < scores.size(); ++t) {
        double sum = 0;
        for (const double score : scores[t]) sum += std::exp(score);
        losses.push_back((std::log(sum) - scores[t][static_cast<std::size_t>(kTargets[row][t])]) / positions);
      }
    }
    return losses;
  }

  std::vector<Vector> logits(const Ints& source, std::size_t steps) const {
    Vector h(size_), c(size_);
    std::vector<Vector> states;
    for (const std::int32_t id : source) {
      const auto width = static_cast<std::size_t>(config_.embedding_size);
      const Vector& table = weights_.at("source/table");
      const auto row = table.begin() + static_cast<std::ptrdiff_t>(static_cast<std::size_t>(id) * width);
      lstm("encoder0/", {{"w_x", Vector(row, row + static_cast<std::ptrdiff_t>(width))}}, h, c);
      states.push_back(h);
    }
    const Vector context = h;
    std::vector<Vector> memory;
    if (config_.mode == DecoderMode::attention)
      for (const Vector& state : states)
        memory.push_back(plus(times(state, "attention/w_memory"), weights_.at("attention/b_memory")));
    Vector y = context;
    h.assign(size_, 0);
    c.assign(size_, 0);
    std::vector<Vector> result;
    for (std::size_t t = 0; t < steps; ++t) {
      switch (config_.mode) {
        case DecoderMode::basic:
          lstm("decoder0/", {{"w_x", context}}, h, c);
          break;
        case DecoderMode::feedback:
          lstm("decoder0/", {{"w_x", y}}, h, c);
          break;
        case DecoderMode::peek:
          lstm("decoder0/", {{"w_x", y}, {"w_context", context}}, h, c);
          break;
        case DecoderMode::attention:
          lstm("decoder0/", {{"w_x", y}, {"w_context", read(memory, c)}}, h, c);
          break;
      }
      y = h;
      if (config_.mode != DecoderMode::basic) y = plus(times(h, "readout/w"), weights_.at("readout/b"));
      Vector scores = weights_.at("softmax/bias");
      for (std::size_t k = 0; k < scores.size(); ++k)
        for (std::size_t i = 0; i < y.size(); ++i) scores[k] += y[i] * weights_.at("softmax/table")[k * y.size() + i];
      result.push_back(scores);
    }
    return result;
  }

 private:
  static double hard(double x) { return std::clamp(0.2 * x + 0.5, 0.0, 1.0); }
  Vector times(const Vector& x, const std::string& name) const { return product(x, weights_.at(name)); }
  void lstm(const std::string& layer, const std::map<std::string, Vector>& inputs, Vector& h, Vector& c) const {
    Vector gates = plus(times(h, layer + "w_h"), weights_.at(layer + "bias"));
    for (const auto& [name, x] : inputs) gates = plus(gates, times(x, layer + name));
    for (std::size_t k = 0; k < size_; ++k) {
      c[k] = hard(gates[size_ + k]) * c[k] + hard(gates[k]) * std::tanh(gates[2 * size_ + k]);
      h[k] = hard(gates[3 * size_ + k]) * std::tanh(c[k]);
    }
  }
  Vector read(const std::vector<Vector>& memory, const Vector& c) const {
    Vector weights;
    double sum = 0;
    for (const Vector& position : memory) {
      double energy = weights_.at("attention/b_energy")[0];
      for (std::size_t k = 0; k < size_; ++k) energy += (position[k] + c[k]) * weights_.at("attention/w_energy")[k];
      weights.push_back(std::exp(energy));
      sum += weights.back();
    }
    Vector found(size_);
    for (std::size_t j = 0; j < memory.size(); ++j)
      for (std::size_t k = 0; k < size_; ++k) found[k] += weights[j] / sum * memory[j][k];
    return found;
  }

  SequenceToSequenceConfig config_;
  std::size_t size_;
  std::map<std::string, Vector> weights_;
};

TEST_CASE("the four modes have the parameters of the original") {
  const std::int64_t counts[] = {8651, 9071, 10671, 11112};
  for (std::size_t i = 0; i < 4; ++i) {
    ParameterStore store;
    FedGraph fed;
    fed_loss(fed, store, jacoxu_config(kModes[i]));
    CHECK(store.parameter_count() == counts[i]);
    const auto bias = to_doubles(store.find("decoder0/bias")->value);
    CHECK(bias[19] == 0);
    CHECK(bias[20] == 1);
    CHECK(bias[40] == 0);
    // Orthogonal times 1.1: every row of a gate has that norm.
    const auto w_h = to_doubles(store.find("encoder0/w_h")->value);
    double norm = 0;
    for (std::size_t j = 20; j < 40; ++j) norm += w_h[j] * w_h[j];
    CHECK(std::sqrt(norm) == doctest::Approx(1.1).epsilon(1e-5));
    CHECK(jacoxu_config(kModes[i]).embedding_range == 0.05F);
  }
}

TEST_CASE("each mode computes what the equations say, and its gradient is the slope of that") {
  for (const DecoderMode mode : kModes) {
    CAPTURE(static_cast<int>(mode));
    const SequenceToSequenceConfig config = small_jacoxu(mode);
    ParameterStore store;
    FedGraph fed;
    const Value loss = fed_loss(fed, store, config);
    randomize(store);
    const Evaluation got = evaluate(fed, store, loss);
    std::vector<Tensor> weights;
    std::vector<int> all;
    std::vector<Vector> gradients;
    for (std::size_t i = 0; i < got.names.size(); ++i) {
      weights.push_back(store.find(got.names[i])->value);
      all.push_back(static_cast<int>(i));
      gradients.push_back(to_doubles(got.gradients[i]));
    }
    const auto terms = [&](std::span<const Tensor> moved) { return Reference(config, got.names, moved).losses(); };
    double expected = 0;
    for (const double term : terms(weights)) expected += term;
    CHECK(got.loss == doctest::Approx(expected).epsilon(1e-6));
    CHECK(check_gradients(terms, weights, all, gradients, 1e-3, 4) == "");
    FedGraph decoding;
    const GreedySequence greedy = greedy_sequence(store, config, decoding.feed(columns(kSources, 0)), {}, 3, /*go=*/0);
    const std::vector<double> tokens = to_doubles(decoding.run({greedy.tokens})[0]);
    const Reference reference(config, got.names, weights);
    for (std::size_t row = 0; row < kSources.size(); ++row) {
      const std::vector<Vector> scores = reference.logits(kSources[row], 3);
      for (std::size_t t = 0; t < 3; ++t)
        CHECK(static_cast<std::ptrdiff_t>(tokens[t * kSources.size() + row]) ==
              std::ranges::max_element(scores[t]) - scores[t].begin());
    }
  }
}

/// Attention over random memory, and the gradient of a weighted sum of its weights.
std::vector<Tensor> attention_gradients(AttentionEnergy energy, bool with_query) {
  FedGraph fed;
  Philox random(3);
  const auto feed = [&](const Shape& shape) { return fed.feed(random_tensor({f32, shape}, random, -1, 1)); };
  const Value memory = feed({2, 4, 3}), weight = feed({3}), bias = feed({1}), projection = feed({3, 3});
  const Value asymmetric = feed({2, 4}), query = feed({2, 3});
  const Attention attention{.energy = energy,
                            .memory = memory,
                            .keys = memory,
                            .w_query = energy == AttentionEnergy::linear ? weight : projection,
                            .w_energy = weight,
                            .bias = bias};
  const Attention::Result result = attention(with_query ? query : query * 0);
  const std::vector<Value> wrt{query, bias, weight};
  std::vector<Value> values = dense_gradients(sum(result.weights * asymmetric), wrt);
  values.push_back(result.weights);
  return fed.run(values);
}

double largest(const Tensor& tensor) { return largest_magnitude(tensor.values<const float>()); }

TEST_CASE("the query and the bias of a linear energy change nothing and learn nothing; an additive one's query does") {
  const std::vector<Tensor> linear = attention_gradients(AttentionEnergy::linear, true);
  const std::vector<Tensor> without = attention_gradients(AttentionEnergy::linear, false);
  CHECK(largest(linear[0]) < 1e-7);
  CHECK(largest(linear[1]) < 1e-7);
  // The weight learns from the memory alone: its gradient is that without a query.
  CHECK(difference(std::span(linear).subspan(2), std::span(without).subspan(2), 1e-6) == "");
  CHECK(largest(linear[2]) > 1e-3);
  const std::vector<Tensor> additive = attention_gradients(AttentionEnergy::additive, true);
  const std::vector<Tensor> blind = attention_gradients(AttentionEnergy::additive, false);
  CHECK(largest(additive[0]) > 1e-3);
  CHECK(difference(std::span(additive).subspan(3), std::span(blind).subspan(3), 1e-3) != "");
}

TEST_CASE("the attention of a linear energy is the same at every step, that of an additive one is not") {
  for (const AttentionEnergy energy : {AttentionEnergy::linear, AttentionEnergy::additive}) {
    SequenceToSequenceConfig config = small_jacoxu(DecoderMode::attention);
    config.energy = energy;
    ParameterStore store;
    FedGraph fed;
    constexpr std::size_t kSteps = 5;
    const GreedySequence greedy = greedy_sequence(store, config, fed.feed(columns(kSources, 0)), {}, kSteps, 0);
    randomize(store);
    const std::vector<double> weights = to_doubles(fed.run({greedy.attention})[0]);
    const std::size_t stride = weights.size() / kSteps;
    double change = 0;
    for (std::size_t i = stride; i < weights.size(); ++i)
      change = larger(change, std::abs(weights[i] - weights[i % stride]));
    if (energy == AttentionEnergy::linear) CHECK(change < 1e-6);
    if (energy == AttentionEnergy::additive) CHECK(change > 1e-4);
  }
}

}  // namespace
}  // namespace eddy::test
