// SPDX-License-Identifier: Apache-2.0
#include "eddy/models/cells.h"

#include <string>

#include "eddy/graph/builder_scope.h"
#include "eddy/ops/add.h"
#include "eddy/ops/clamp.h"
#include "eddy/ops/compare.h"
#include "eddy/ops/concat.h"
#include "eddy/ops/fold_key.h"
#include "eddy/ops/layer_norm.h"
#include "eddy/ops/linear.h"
#include "eddy/ops/matmul.h"
#include "eddy/ops/mul.h"
#include "eddy/ops/random_uniform.h"
#include "eddy/ops/recurrence_equations.h"
#include "eddy/ops/slice.h"
#include "eddy/ops/sub.h"
#include "eddy/ops/tanh.h"
#include "eddy/ops/where.h"

namespace eddy {
namespace {

/// What all cells with `count` gates have; returns [batch, hidden] of their states.
std::pair<std::int64_t, std::int64_t> expect_weights(const BuilderScope& at, int count, Value x, const State& state,
                                                     Value w_x, Value w_h, Value bias) {
  at.expect("x", x, f32, {"batch", "in"});
  const Value& h = state["h"];
  at.expect("state 'h'", h, f32, {x.dim(0), "hidden"});
  const std::int64_t hidden = h.dim(1);
  at.expect("w_x", w_x, f32, {x.dim(1), count * hidden});
  at.expect("w_h", w_h, f32, {hidden, count * hidden});
  at.expect("bias", bias, f32, {count * hidden});
  return {x.dim(0), hidden};
}

/// Of an LSTM under whatever name; returns [batch, hidden] of its states.
std::pair<std::int64_t, std::int64_t> expect_lstm(const BuilderScope& at, const LstmCell& cell, Value x,
                                                  const State& state) {
  const auto sizes = expect_weights(at, 4, x, state, cell.w_x, cell.w_h, cell.bias);
  at.expect("state 'c'", state["c"], f32, {sizes.first, sizes.second});
  at.check(cell.clip_cell >= 0, "clip_cell is {}, expected 0 or more", cell.clip_cell);
  return sizes;
}

}  // namespace

Value LstmCell::gates(Value x, const State& state, SourceLocation where) const {
  const BuilderScope at("LstmCell", "x", x, where);
  expect_lstm(at, *this, x, state);
  return linear(x, w_x, bias) + matmul(state["h"], w_h);
}

Value LstmCell::clipped(Value c) const { return clip_cell > 0 ? clamp(c, -clip_cell, clip_cell) : c; }

Step LstmCell::operator()(Value x, const State& state, SourceLocation where) const {
  const BuilderScope at("LstmCell", "x", x, where);
  LstmUpdate s = lstm_update(gates(x, state), state["c"], hard_sigmoid);
  if (clip_cell > 0) {
    s.c = clipped(s.c);
    s.h = s.o * tanh(s.c);
  }
  return {.output = s.h, .state = {{"h", s.h}, {"c", s.c}}};
}

Step SimpleRnnCell::operator()(Value x, const State& state, SourceLocation where) const {
  const BuilderScope at("SimpleRnnCell", "x", x, where);
  expect_weights(at, 1, x, state, w_x, w_h, bias);
  const Value h = tanh(linear(x, w_x, bias) + matmul(state["h"], w_h));
  return {.output = h, .state = {{"h", h}}};
}

Step GruCell::operator()(Value x, const State& state, SourceLocation where) const {
  const BuilderScope at("GruCell", "x", x, where);
  expect_weights(at, 3, x, state, w_x, w_h, bias);
  const GruWeights recurrent{.w_h = w_h, .hard_sigmoid = hard_sigmoid, .reset_after = false};
  const Value h = gru_update(linear(x, w_x, bias), state["h"], recurrent).h;
  return {.output = h, .state = {{"h", h}}};
}

Step PeepholeLstmCell::operator()(Value x, const State& state, SourceLocation where) const {
  const BuilderScope at("PeepholeLstmCell", "x", x, where);
  const std::int64_t hidden = expect_lstm(at, base, x, state).second;
  at.expect("peephole_i", peephole_i, f32, {hidden});
  at.expect("peephole_f", peephole_f, f32, {hidden});
  at.expect("peephole_o", peephole_o, f32, {hidden});
  const Value c = state["c"];
  const auto [i, f, g, o] = split<4>(base.gates(x, state), 1);
  const Value next_c = base.clipped(gate(f + c * peephole_f, base.hard_sigmoid) * c +
                                    gate(i + c * peephole_i, base.hard_sigmoid) * tanh(g));
  const Value h = gate(o + next_c * peephole_o, base.hard_sigmoid) * tanh(next_c);
  return {.output = h, .state = {{"h", h}, {"c", next_c}}};
}

Step LayerNormLstmCell::operator()(Value x, const State& state, SourceLocation where) const {
  const BuilderScope at("LayerNormLstmCell", "x", x, where);
  const std::int64_t hidden = expect_lstm(at, base, x, state).second;
  at.expect("gain_x", gain_x, f32, {4 * hidden});
  at.expect("bias_x", bias_x, f32, {4 * hidden});
  at.expect("gain_h", gain_h, f32, {4 * hidden});
  at.expect("bias_h", bias_h, f32, {4 * hidden});
  at.expect("gain_c", gain_c, f32, {hidden});
  at.expect("bias_c", bias_c, f32, {hidden});
  const Value gates = layer_norm(matmul(x, base.w_x), gain_x, bias_x) +
                      layer_norm(matmul(state["h"], base.w_h), gain_h, bias_h) + base.bias;
  const LstmUpdate usual = lstm_update(gates, state["c"], base.hard_sigmoid);
  const Value c = base.clipped(usual.c);
  const Value h = usual.o * tanh(layer_norm(c, gain_c, bias_c));
  return {.output = h, .state = {{"h", h}, {"c", c}}};
}

Step ZoneoutLstmCell::operator()(std::span<const Value> x_and_step, const State& state, SourceLocation where) const {
  const BuilderScope at("ZoneoutLstmCell", "x", x_and_step.empty() ? Value() : x_and_step[0], where);
  at.expect_rate("rate_h", rate_h);
  at.expect_rate("rate_c", rate_c);
  at.check(!key || x_and_step.size() > 1, "training needs the step as a second sequence: iota(graph, time)");
  expect_lstm(at, base, x_and_step[0], state);
  Step step = base(x_and_step[0], state);
  Value step_key;
  if (key) step_key = fold_key(key, x_and_step[1]);
  const auto mix = [&](std::string_view name, float rate) {
    const Value before = state[name];
    const Value after = step.state[name];
    if (!key) return before * rate + after * (1 - rate);
    const Value kept = less(random_uniform(step_key, after.shape()), rate);
    step.outputs.set("kept_" + std::string(name), kept);
    return eddy::where(kept, before, after);
  };
  step.state = {{"h", mix("h", rate_h)}, {"c", mix("c", rate_c)}};
  step.output = step.state["h"];
  return step;
}

Step AttentionDecoderCell::operator()(Value x, const State& state, SourceLocation where) const {
  const BuilderScope at("AttentionDecoderCell", "x", x, where);
  at.expect("x", x, f32, {"batch", "in"});
  const Attention::Result read = attention(state["h"]);
  Step step = base(concat({x, read.context}, 1), state);
  step.outputs.set("attention", read.weights);
  return step;
}

}  // namespace eddy
