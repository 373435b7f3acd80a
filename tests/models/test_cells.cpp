// SPDX-License-Identifier: Apache-2.0
// Single steps of the recurrent cells.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "eddy/core/random.h"
#include "eddy/models/cell_stack.h"
#include "eddy/models/seq2seq_cells.h"
#include "eddy/ops/add.h"
#include "eddy/ops/iota.h"
#include "eddy/ops/mul.h"
#include "eddy/ops/tanh.h"
#include "tests/models/model_runs.h"
#include "tests/support/largest.h"

namespace eddy::test {
namespace {

constexpr std::int64_t kBatch = 3, kIn = 4, kHidden = 5;

/// Weights and states large enough to drive cell states beyond 1.
class Inputs {
 public:
  FedGraph fed;

  Value of(const Shape& shape) {
    const Tensor tensor(f32, shape);
    for (float& x : tensor.values<float>()) x = uniform_float(random_, -2, 2);
    return fed.feed(tensor);
  }
  LstmCell lstm(float clip_cell, std::int64_t in = kIn) {
    return {.w_x = of({in, 4 * kHidden}),
            .w_h = of({kHidden, 4 * kHidden}),
            .bias = of({4 * kHidden}),
            .clip_cell = clip_cell};
  }

 private:
  Philox random_{17};
};

using MakeStep = std::function<Step(Inputs&, const LstmCell& base, Value x, const State& state)>;

struct NamedCell {
  std::string name;
  MakeStep step;
};

std::vector<NamedCell> cells_on_an_lstm() {
  return {
      {"LstmCell", [](Inputs&, const LstmCell& base, Value x, const State& state) { return base(x, state); }},
      {"PeepholeLstmCell",
       [](Inputs& in, const LstmCell& base, Value x, const State& state) {
         const PeepholeLstmCell cell{base, in.of({kHidden}), in.of({kHidden}), in.of({kHidden})};
         return cell(x, state);
       }},
      {"LayerNormLstmCell",
       [](Inputs& in, const LstmCell& base, Value x, const State& state) {
         const LayerNormLstmCell cell{.base = base,
                                      .gain_x = in.of({4 * kHidden}),
                                      .bias_x = in.of({4 * kHidden}),
                                      .gain_h = in.of({4 * kHidden}),
                                      .bias_h = in.of({4 * kHidden}),
                                      .gain_c = in.of({kHidden}),
                                      .bias_c = in.of({kHidden})};
         return cell(x, state);
       }},
      {"ZoneoutLstmCell",
       [](Inputs&, const LstmCell& base, Value x, const State& state) {
         const ZoneoutLstmCell cell{.base = base, .key = {}, .rate_c = 0, .rate_h = 0};
         return cell(std::vector<Value>{x}, state);
       }},
      {"RecurrentshopLstmCell",
       [](Inputs&, const LstmCell& base, Value x, const State& state) {
         return RecurrentshopLstmCell{.base = base, .store_tanh_of_cell = false}(x, state);
       }},
  };
}

float largest(const Tensor& tensor) {
  float most = 0;
  for (const float x : tensor.values<const float>()) most = std::max(most, std::abs(x));
  return most;
}

}  // namespace

TEST_CASE("every cell that is made of an LSTM clips its cell state") {
  constexpr float kClip = 0.25F;
  for (const NamedCell& cell : cells_on_an_lstm()) {
    CAPTURE(cell.name);
    const auto state_after = [&](float clip_cell) {
      Inputs in;
      const State state{{"h", in.of({kBatch, kHidden})}, {"c", in.of({kBatch, kHidden})}};
      const Step step = cell.step(in, in.lstm(clip_cell), in.of({kBatch, kIn}), state);
      return in.fed.run({step.state["c"], step.output});
    };
    CHECK(largest(state_after(0)[0]) > 1);
    const std::vector<Tensor> clipped = state_after(kClip);
    CHECK(largest(clipped[0]) == kClip);
    // The output is made of the clipped state; a layer norm takes its scale away again.
    if (cell.name != "LayerNormLstmCell") CHECK(largest(clipped[1]) <= std::tanh(kClip) * 1.0001F);
    CHECK_THROWS_AS(state_after(-1), GraphError);
  }
}

TEST_CASE("a stack takes cells with any states, and those that read the step's number") {
  Inputs in;
  const Value x = in.of({4, kBatch, kIn});
  const LstmCell base = in.lstm(0, kHidden);
  const GruCell gru{
      .w_x = in.of({kIn, 3 * kHidden}), .w_h = in.of({kHidden, 3 * kHidden}), .bias = in.of({3 * kHidden})};
  const auto sum_of_all = [](Value seen, const State& state) -> Step {
    return {.output = seen + state["m"], .state = {{"m", state["m"] + seen}}};
  };
  const ZoneoutLstmCell zoneout{.base = base, .rate_c = 0.25F, .rate_h = 0.5F};
  const CellStack stack{.cells = {gru, sum_of_all, zoneout}};
  State initial;
  for (const char* name : {"h0", "m1", "h2", "c2", "other"}) initial.set(name, in.of({kBatch, kHidden}));
  const auto step = [&](std::span<const Value> seen, const State& state) { return stack(seen[0], state, seen[1]); };
  const ScanResult stacked = scan(step, {x, iota(x.graph(), 4)}, initial);
  const ScanResult first = scan(gru, x, {{"h", initial["h0"]}});
  const ScanResult second = scan(sum_of_all, first.output, {{"m", initial["m1"]}});
  const ScanResult third =
      scan(zoneout, {second.output, iota(x.graph(), 4)}, {{"h", initial["h2"]}, {"c", initial["c2"]}});
  const std::vector<Tensor> results =
      in.fed.run({stacked.output, third.output, stacked.last["h0"], first.last["h"], stacked.last["m1"],
                  second.last["m"], stacked.last["c2"], third.last["c"], stacked.last["other"], initial["other"]});
  for (std::size_t i = 0; i < results.size(); i += 2)
    CHECK(largest_difference(results[i].values<const float>(), results[i + 1].values<const float>()) < 1e-6);
  CHECK(stack.zeros(x, kBatch, {2, 3, 4}, {"m"})["m1"].shape() == Shape{kBatch, 3});
}

TEST_CASE("a stack tells states whose names end in digits apart, and outputs that several cells name alike") {
  Inputs in;
  const Value x = in.of({4, kBatch, kHidden});
  const auto two_back = [](Value seen, const State& state) -> Step {
    const Value now = seen + state["h1"];
    return {.output = now, .state = {{"h1", tanh(now)}, {"h/", state["h1"]}}, .outputs = {{"seen", seen}}};
  };
  const auto last = [](Value seen, const State& state) -> Step {
    return {.output = seen * state["h"], .state = {{"h", seen}}, .outputs = {{"top", seen}}};
  };
  CellStack stack;
  for (int cell = 0; cell < 10; ++cell) stack.cells.push_back(two_back);
  stack.cells.push_back(last);
  State initial = stack.zeros(x, kBatch, std::vector<std::int64_t>(11, kHidden), {"h1", "h/"});
  initial.set(stack.h(10), in.of({kBatch, kHidden}));
  const auto step = [&](std::span<const Value> seen, const State& state) { return stack(seen[0], state, seen[1]); };
  const ScanResult stacked = scan(step, {x, iota(x.graph(), 4)}, initial);
  const State zero = zero_state(x, {"h1", "h/"}, {kBatch, kHidden});
  Value below = x;
  std::vector<Value> pairs;
  for (std::size_t cell = 0; cell < 10; ++cell) {
    const ScanResult alone = scan(two_back, below, zero);
    for (const char* name : {"h1", "h/"}) {
      pairs.push_back(stacked.last[stack.name(name, cell)]);
      pairs.push_back(alone.last[name]);
    }
    pairs.push_back(stacked.outputs[fmt::format("seen{}", cell)]);
    pairs.push_back(below);
    below = alone.output;
  }
  const ScanResult top = scan(last, below, {{"h", initial[stack.h(10)]}});
  for (const Value& value : {stacked.output, top.output, stacked.last[stack.h(10)], top.last["h"],
                             stacked.outputs["top"], top.outputs["top"]})
    pairs.push_back(value);
  const std::vector<Tensor> results = in.fed.run(pairs);
  for (std::size_t i = 0; i < results.size(); i += 2)
    CHECK(largest_difference(results[i].values<const float>(), results[i + 1].values<const float>()) < 1e-5);
}

}  // namespace eddy::test
