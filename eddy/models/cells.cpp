// SPDX-License-Identifier: Apache-2.0
#include "eddy/models/cells.h"

#include <string>

#include "eddy/ops/add.h"
#include "eddy/ops/compare.h"
#include "eddy/ops/concat.h"
#include "eddy/ops/fold_key.h"
#include "eddy/ops/hard_sigmoid.h"
#include "eddy/ops/layer_norm.h"
#include "eddy/ops/linear.h"
#include "eddy/ops/matmul.h"
#include "eddy/ops/mul.h"
#include "eddy/ops/random_uniform.h"
#include "eddy/ops/sigmoid.h"
#include "eddy/ops/slice.h"
#include "eddy/ops/sub.h"
#include "eddy/ops/tanh.h"
#include "eddy/ops/where.h"

namespace eddy {
namespace {

Value gate(Value x, bool hard) { return hard ? hard_sigmoid(x) : sigmoid(x); }

Step lstm_step(Value gates, Value c, bool hard) {
  const auto [i, f, g, o] = split<4>(gates, 1);
  const Value next_c = gate(f, hard) * c + gate(i, hard) * tanh(g);
  const Value h = gate(o, hard) * tanh(next_c);
  return {.output = h, .state = {{"h", h}, {"c", next_c}}};
}

}  // namespace

Step LstmCell::operator()(Value x, const State& state) const {
  return lstm_step(linear(x, w_x, bias) + matmul(state["h"], w_h), state["c"], hard_sigmoid);
}

Step GruCell::operator()(Value x, const State& state) const {
  const Value h = state["h"];
  const std::int64_t hidden = h.dim(1);
  const auto [x_r, x_z, x_n] = split<3>(linear(x, w_x, bias), 1);
  const std::vector<Value> u = split(w_h, std::vector<std::int64_t>{2 * hidden, hidden}, 1);
  const auto [h_r, h_z] = split<2>(matmul(h, u[0]), 1);
  const Value r = gate(x_r + h_r, hard_sigmoid);
  const Value z = gate(x_z + h_z, hard_sigmoid);
  const Value n = tanh(x_n + matmul(r * h, u[1]));
  const Value next = (1 - z) * n + z * h;
  return {.output = next, .state = {{"h", next}}};
}

Step PeepholeLstmCell::operator()(Value x, const State& state) const {
  const Value c = state["c"];
  const auto [i, f, g, o] = split<4>(linear(x, base.w_x, base.bias) + matmul(state["h"], base.w_h), 1);
  const Value next_c =
      gate(f + c * peephole_f, base.hard_sigmoid) * c + gate(i + c * peephole_i, base.hard_sigmoid) * tanh(g);
  const Value h = gate(o + next_c * peephole_o, base.hard_sigmoid) * tanh(next_c);
  return {.output = h, .state = {{"h", h}, {"c", next_c}}};
}

Step LayerNormLstmCell::operator()(Value x, const State& state) const {
  const Value gates = layer_norm(matmul(x, base.w_x), gain_x, bias_x) +
                      layer_norm(matmul(state["h"], base.w_h), gain_h, bias_h) + base.bias;
  const auto [i, f, g, o] = split<4>(gates, 1);
  const Value c = gate(f, base.hard_sigmoid) * state["c"] + gate(i, base.hard_sigmoid) * tanh(g);
  const Value h = gate(o, base.hard_sigmoid) * tanh(layer_norm(c, gain_c, bias_c));
  return {.output = h, .state = {{"h", h}, {"c", c}}};
}

Step ZoneoutLstmCell::operator()(std::span<const Value> x_and_step, const State& state) const {
  Step step = base(x_and_step[0], state);
  Value step_key;
  if (key) step_key = fold_key(key, x_and_step[1]);
  const auto mix = [&](std::string_view name, float rate) {
    const Value before = state[name];
    const Value after = step.state[name];
    if (!key) return before * rate + after * (1 - rate);
    const Value kept = less(random_uniform(step_key, after.shape()), rate);
    step.outputs.set("kept_" + std::string(name), kept);
    return where(kept, before, after);
  };
  step.state = {{"h", mix("h", rate_h)}, {"c", mix("c", rate_c)}};
  step.output = step.state["h"];
  return step;
}

Step AttentionDecoderCell::operator()(Value x, const State& state) const {
  const Attention::Result read = attention(state["h"]);
  Step step = base(concat({x, read.context}, 1), state);
  step.outputs.set("attention", read.weights);
  return step;
}

}  // namespace eddy
