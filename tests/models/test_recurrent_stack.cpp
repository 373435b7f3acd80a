// SPDX-License-Identifier: Apache-2.0
// Stacks whose cells have no fused kernel, against the same equations written out in double.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "eddy/models/recurrent_stack.h"
#include "eddy/ops/mul.h"
#include "eddy/ops/sum.h"
#include "tests/models/model_runs.h"
#include "tests/models/plain_vectors.h"
#include "tests/support/arrays.h"

namespace eddy::test {
namespace {

constexpr std::size_t kTime = 5, kBatch = 3, kIn = 4, kHidden = 6;
constexpr std::size_t kLengths[kBatch] = {5, 1, 3};

struct States {
  Vector h = Vector(kHidden), c = Vector(kHidden);
};

class PlainStack {
 public:
  PlainStack(const ParameterStore& store, const StackConfig& config) : store_(store), config_(config) {}

  /// One layer over the steps of a row, in the order they are read.
  void run(const std::string& layer, std::vector<Vector>& rows, States& states) const {
    if (config_.reverse) std::reverse(rows.begin(), rows.end());
    for (Vector& row : rows) row = step(layer, row, states);
    if (config_.reverse) std::reverse(rows.begin(), rows.end());
  }

 private:
  Vector step(const std::string& layer, const Vector& x, States& states) const {
    Vector sums = to_doubles(store_.find(layer + "/bias")->value);
    sums = plus(sums, product(x, to_doubles(store_.find(layer + "/w_x")->value)));
    sums = plus(sums, product(states.h, to_doubles(store_.find(layer + "/w_h")->value)));
    const auto sigmoid = [](double value) { return 1 / (1 + std::exp(-value)); };
    for (std::size_t k = 0; k < kHidden; ++k) {
      if (config_.cell == CellKind::rnn) {
        states.h[k] = std::tanh(sums[k]);
        continue;
      }
      const double kept = sigmoid(sums[kHidden + k]) * states.c[k];
      states.c[k] = std::clamp(kept + sigmoid(sums[k]) * std::tanh(sums[2 * kHidden + k]),
                               -static_cast<double>(config_.clip_cell), static_cast<double>(config_.clip_cell));
      states.h[k] = sigmoid(sums[3 * kHidden + k]) * std::tanh(states.c[k]);
    }
    return states.h;
  }

  const ParameterStore& store_;
  StackConfig config_;
};

void check_stack(const StackConfig& config) {
  Philox random(3);
  const Tensor x = random_tensor({f32, {kTime, kBatch, kIn}}, random, -2, 2);
  const Tensor h0 = random_tensor({f32, {kBatch, kHidden}}, random, -1, 1);
  const Tensor c0 = random_tensor({f32, {kBatch, kHidden}}, random, -0.3, 0.3);
  std::vector<Ints> rows;
  for (const std::size_t length : kLengths) rows.push_back(Ints(length, 1));
  const bool lstm = config.cell == CellKind::lstm;
  FedGraph fed;
  ParameterStore store;
  StackState initial;
  // The upper layer begins with zeros.
  initial.h = {fed.feed(h0), Value()};
  if (lstm) initial.c = {fed.feed(c0), Value()};
  const StackResult result = recurrent_stack(store, "layer", config, fed.feed(x), fed.feed(mask_of(rows)), initial);
  randomize(store);
  REQUIRE(result.last.c.size() == (lstm ? 2 : 0));
  std::vector<Value> wanted{result.outputs, result.last.h[0], result.last.h[1]};
  if (lstm) wanted.insert(wanted.end(), {result.last.c[0], result.last.c[1]});
  const std::vector<Tensor> got = fed.run(wanted);

  const PlainStack plain(store, config);
  const auto number = [](const Tensor& tensor, std::size_t at) { return to_doubles(tensor)[at]; };
  for (std::size_t b = 0; b < kBatch; ++b) {
    CAPTURE(b);
    std::vector<Vector> steps;
    for (std::size_t t = 0; t < kLengths[b]; ++t) {
      steps.emplace_back();
      for (std::size_t i = 0; i < kIn; ++i) steps.back().push_back(number(x, (t * kBatch + b) * kIn + i));
    }
    States below, above;
    for (std::size_t k = 0; k < kHidden; ++k) {
      below.h[k] = number(h0, b * kHidden + k);
      below.c[k] = number(c0, b * kHidden + k);
    }
    plain.run("layer0", steps, below);
    plain.run("layer1", steps, above);
    for (std::size_t k = 0; k < kHidden; ++k) {
      CAPTURE(k);
      for (std::size_t t = 0; t < kTime; ++t)
        CHECK(number(got[0], (t * kBatch + b) * kHidden + k) ==
              doctest::Approx(t < steps.size() ? steps[t][k] : 0).epsilon(1e-5));
      CHECK(number(got[1], b * kHidden + k) == doctest::Approx(below.h[k]).epsilon(1e-5));
      CHECK(number(got[2], b * kHidden + k) == doctest::Approx(above.h[k]).epsilon(1e-5));
      if (!lstm) continue;
      CHECK(number(got[3], b * kHidden + k) == doctest::Approx(below.c[k]).epsilon(1e-5));
      CHECK(number(got[4], b * kHidden + k) == doctest::Approx(above.c[k]).epsilon(1e-5));
    }
  }
}

TEST_CASE("a stack of simple recurrent networks computes its equations") {
  check_stack({.cell = CellKind::rnn, .hidden_size = kHidden, .layers = 2});
  check_stack({.cell = CellKind::rnn, .hidden_size = kHidden, .layers = 2, .reverse = true});
}

TEST_CASE("a stack of LSTMs clips its cell states, those it is given too once they are kept") {
  check_stack({.hidden_size = kHidden, .layers = 2, .clip_cell = 0.2F});
  check_stack({.hidden_size = kHidden, .layers = 2, .reverse = true, .clip_cell = 0.2F});
}

TEST_CASE("a stack begins with the forget bias and the gain of recurrent weights that are asked for") {
  for (const CellKind cell : {CellKind::lstm, CellKind::gru, CellKind::rnn}) {
    const std::int64_t gates = cell == CellKind::lstm ? 4 : cell == CellKind::gru ? 3 : 1;
    CAPTURE(gates);
    FedGraph fed;
    ParameterStore store;
    const StackConfig config{
        .cell = cell, .hidden_size = kHidden, .layers = 2, .forget_bias = 0.5F, .recurrent_gain = 1.5F};
    recurrent_stack(store, "layer", config, fed.feed(Tensor(f32, {kTime, kBatch, kIn})), {});
    for (const char* layer : {"layer0", "layer1"}) {
      CHECK(wrong_bias(store, layer, gates, 0.5) == "");
      CHECK(wrong_gain(store, layer, gates, 1.5) == "");
    }
  }
}

TEST_CASE("a limit that no cell state reaches changes nothing") {
  Philox random(4);
  const Tensor x = random_tensor({f32, {kTime, kBatch, kIn}}, random, -2, 2);
  ParameterStore store;
  const auto evaluation = [&](float clip_cell) {
    FedGraph fed;
    const StackConfig config{.hidden_size = kHidden, .layers = 2, .clip_cell = clip_cell};
    const Value outputs = recurrent_stack(store, "layer", config, fed.feed(x), {}).outputs;
    randomize(store);
    Philox same(5);
    return evaluate(fed, store, sum(outputs * fed.feed(random_tensor({f32, {kTime, kBatch, kHidden}}, same, -1, 1))));
  };
  const Evaluation unlimited = evaluation(0);
  CHECK(difference(evaluation(100), unlimited) == "");
  CHECK(difference(evaluation(0.05F), unlimited) != "");
}

TEST_CASE("a limit of nothing, or for cells that have no cell state, is refused") {
  FedGraph fed;
  ParameterStore store;
  const Value x = fed.feed(Tensor(f32, {2, 3, 4}));
  CHECK_THROWS_WITH_AS(recurrent_stack(store, "layer", {.hidden_size = 2, .clip_cell = -1}, x, {}),
                       doctest::Contains("clip_cell is -1, expected 0 or more"), GraphError);
  for (const CellKind cell : {CellKind::gru, CellKind::rnn})
    CHECK_THROWS_WITH_AS(recurrent_stack(store, "layer", {.cell = cell, .hidden_size = 2, .clip_cell = 1}, x, {}),
                         doctest::Contains("only LSTMs have a cell state"), GraphError);
}

}  // namespace
}  // namespace eddy::test
