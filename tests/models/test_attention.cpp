// SPDX-License-Identifier: Apache-2.0
// Attention against plain loops for every energy: masked positions, and rows in which nothing is left to attend to.
#include <doctest/doctest.h>

#include <cmath>

#include "eddy/core/error.h"
#include "eddy/graph/gradient.h"
#include "eddy/models/attention.h"
#include "eddy/ops/add.h"
#include "eddy/ops/mul.h"
#include "eddy/ops/sum.h"
#include "tests/models/model_runs.h"
#include "tests/support/arrays.h"
#include "tests/support/finite_differences.h"

namespace eddy::test {
namespace {

constexpr std::int64_t kBatch = 3, kSource = 4, kWidth = 3, kAttention = 2;
constexpr std::int64_t kMaskedRow = 1;
const Floats kMask = {1, 1, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0};

struct Energy {
  std::string name;
  AttentionEnergy energy;
};
const std::vector<Energy> kEnergies = {{"additive", AttentionEnergy::additive},
                                       {"dot", AttentionEnergy::dot},
                                       {"general", AttentionEnergy::general},
                                       {"linear", AttentionEnergy::linear}};

enum Input { memory, keys, query, w_query, w_energy, bias, inputs };

/// Random values of the inputs, in the order of Input.
std::vector<Tensor> random_inputs(AttentionEnergy energy, float largest = 1) {
  const bool additive = energy == AttentionEnergy::additive, linear = energy == AttentionEnergy::linear;
  Philox random(4);
  const auto make = [&](const Shape& shape) { return random_tensor({f32, shape}, random, -largest, largest); };
  return {make({kBatch, kSource, kWidth}),
          make({kBatch, kSource, kAttention}),
          make({kBatch, kWidth}),
          linear ? make({kWidth}) : make({kWidth, additive ? kAttention : kWidth}),
          make({additive ? kAttention : kWidth}),
          make({1})};
}

struct Attended {
  std::vector<double> context, weights;
};

/// The same in plain loops.
Attended attend(AttentionEnergy energy, std::span<const Tensor> in) {
  std::vector<std::vector<double>> x;
  for (const Tensor& tensor : in) x.push_back(to_doubles(tensor));
  Attended result{std::vector<double>(kBatch * kWidth), std::vector<double>(kBatch * kSource)};
  for (std::size_t b = 0; b < kBatch; ++b) {
    double total = 0;
    for (std::size_t s = 0; s < kSource; ++s) {
      const std::size_t at = b * kSource + s;
      double e = energy == AttentionEnergy::linear ? x[bias][0] : 0;
      for (std::size_t i = 0; i < kWidth; ++i) {
        const double m = x[memory][at * kWidth + i], q = x[query][b * kWidth + i];
        if (energy == AttentionEnergy::dot) e += m * q;
        if (energy == AttentionEnergy::linear) e += m * x[w_energy][i] + q * x[w_query][i];
        if (energy == AttentionEnergy::general)
          for (std::size_t j = 0; j < kWidth; ++j) e += m * x[query][b * kWidth + j] * x[w_query][j * kWidth + i];
      }
      for (std::size_t a = 0; energy == AttentionEnergy::additive && a < kAttention; ++a) {
        double sum = x[keys][at * kAttention + a];
        for (std::size_t i = 0; i < kWidth; ++i) sum += x[query][b * kWidth + i] * x[w_query][i * kAttention + a];
        e += x[w_energy][a] * std::tanh(sum);
      }
      result.weights[at] = kMask[at] * std::exp(e);
      total += result.weights[at];
    }
    for (std::size_t s = 0; s < kSource; ++s) {
      double& weight = result.weights[b * kSource + s];
      weight = total > 0 ? weight / total : 0;
      for (std::size_t i = 0; i < kWidth; ++i)
        result.context[b * kWidth + i] += weight * x[memory][(b * kSource + s) * kWidth + i];
    }
  }
  return result;
}

/// Numbers that make a loss of the context, and of the weights, asymmetric.
std::vector<Tensor> coefficients() {
  Philox random(9);
  return {random_tensor({f32, {kBatch, kWidth}}, random), random_tensor({f32, {kBatch, kSource}}, random)};
}

/// Context, weights, and the gradients of a loss of both with respect to all inputs.
std::vector<Tensor> run(AttentionEnergy energy, std::span<const Tensor> in) {
  FedGraph fed;
  std::vector<Value> x;
  for (const Tensor& tensor : in) x.push_back(fed.feed(tensor));
  const Attention attention{.energy = energy,
                            .memory = x[memory],
                            .keys = x[keys],
                            .mask = fed.feed(Tensor::from(kMask, {kBatch, kSource})),
                            .w_query = x[w_query],
                            .w_energy = x[w_energy],
                            .bias = x[bias]};
  const Attention::Result found = attention(x[query]);
  const std::vector<Tensor> factors = coefficients();
  const Value loss = sum(found.context * fed.feed(factors[0])) + sum(found.weights * fed.feed(factors[1]));
  std::vector<Value> results{found.context, found.weights};
  for (const Value gradient : dense_gradients(loss, x)) results.push_back(gradient);
  return fed.run(results);
}

/// The part of a gradient that belongs to a row of the batch.
std::vector<double> row_of(const Tensor& gradient, std::int64_t row) {
  const std::vector<double> all = to_doubles(gradient);
  const auto length = static_cast<std::ptrdiff_t>(all.size() / kBatch);
  return {all.begin() + row * length, all.begin() + (row + 1) * length};
}

TEST_CASE("attention: values and gradients of every energy are those of plain loops") {
  for (const Energy& tested : kEnergies) {
    INFO("energy ", tested.name);
    const AttentionEnergy energy = tested.energy;
    const std::vector<Tensor> in = random_inputs(energy);
    const std::vector<Tensor> got = run(energy, in);
    const Attended expected = attend(energy, in);
    CHECK(difference(to_doubles(got[0]), expected.context, 1e-6) == "");
    CHECK(difference(to_doubles(got[1]), expected.weights, 1e-6) == "");

    const std::vector<Tensor> factors = coefficients();
    const Terms terms = [&](std::span<const Tensor> at) {
      const Attended found = attend(energy, at);
      std::vector<double> result;
      const std::vector<double> of_context = to_doubles(factors[0]), of_weights = to_doubles(factors[1]);
      for (std::size_t i = 0; i < of_context.size(); ++i) result.push_back(found.context[i] * of_context[i]);
      for (std::size_t i = 0; i < of_weights.size(); ++i) result.push_back(found.weights[i] * of_weights[i]);
      return result;
    };
    std::vector<int> all;
    std::vector<std::vector<double>> gradients;
    for (int i = 0; i < inputs; ++i) {
      all.push_back(i);
      gradients.push_back(to_doubles(got[static_cast<std::size_t>(2 + i)]));
    }
    CHECK(check_gradients(terms, in, all, gradients, 1e-4, 6) == "");
  }
}

TEST_CASE("attention: a row masked throughout yields zeros and passes none of the gradient on") {
  for (const Energy& tested : kEnergies) {
    INFO("energy ", tested.name);
    const AttentionEnergy energy = tested.energy;
    for (const float largest : {1.0F, 1e6F}) {
      const std::vector<Tensor> got = run(energy, random_inputs(energy, largest));
      for (const Tensor& tensor : got)
        for (const double x : to_doubles(tensor)) CHECK(std::isfinite(x));
      // Context, weights, and the gradients of memory, keys and query.
      for (std::size_t i = 0; i < 5; ++i)
        for (const double x : row_of(got[i], kMaskedRow)) CHECK(x == 0);
      for (const std::size_t i : {0U, 1U, 2U}) {
        double largest_other = 0;
        for (const double x : row_of(got[i], 0)) largest_other = std::max(largest_other, std::abs(x));
        CHECK(largest_other > 0);
      }
    }
  }
}

TEST_CASE("attention: sizes that do not fit are refused with both") {
  Graph graph;
  const Value of_memory = graph.input("memory", f32, {2, 4, 3}), wide = graph.input("query", f32, {2, 5});
  const Value vector = graph.input("w", f32, {3});
  const Attention dot{.energy = AttentionEnergy::dot, .memory = of_memory};
  CHECK_THROWS_WITH_AS(dot(wide), doctest::Contains("they are 5 and 3 wide"), GraphError);
  const Attention linear{
      .energy = AttentionEnergy::linear, .memory = of_memory, .w_query = vector, .w_energy = vector, .bias = vector};
  CHECK_THROWS_WITH_AS(linear(wide), doctest::Contains("w_query must be f32[5], not f32[3]"), GraphError);
}

}  // namespace
}  // namespace eddy::test
