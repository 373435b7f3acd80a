// SPDX-License-Identifier: Apache-2.0
#include "eddy/models/cells.h"

#include <string>

#include "eddy/ops/add.h"
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
Value LstmCell::gates(Value x, const State& state) const { return linear(x, w_x, bias) + matmul(state["h"], w_h); }

Step LstmCell::operator()(Value x, const State& state) const {
  const LstmUpdate s = lstm_update(gates(x, state), state["c"], hard_sigmoid);
  return {.output = s.h, .state = {{"h", s.h}, {"c", s.c}}};
}

Step GruCell::operator()(Value x, const State& state) const {
  const GruWeights recurrent{.w_h = w_h, .hard_sigmoid = hard_sigmoid, .reset_after = false};
  const Value h = gru_update(linear(x, w_x, bias), state["h"], recurrent).h;
  return {.output = h, .state = {{"h", h}}};
}

Step PeepholeLstmCell::operator()(Value x, const State& state) const {
  const Value c = state["c"];
  const auto [i, f, g, o] = split<4>(base.gates(x, state), 1);
  const Value next_c =
      gate(f + c * peephole_f, base.hard_sigmoid) * c + gate(i + c * peephole_i, base.hard_sigmoid) * tanh(g);
  const Value h = gate(o + next_c * peephole_o, base.hard_sigmoid) * tanh(next_c);
  return {.output = h, .state = {{"h", h}, {"c", next_c}}};
}

Step LayerNormLstmCell::operator()(Value x, const State& state) const {
  const Value gates = layer_norm(matmul(x, base.w_x), gain_x, bias_x) +
                      layer_norm(matmul(state["h"], base.w_h), gain_h, bias_h) + base.bias;
  const LstmUpdate usual = lstm_update(gates, state["c"], base.hard_sigmoid);
  const Value h = usual.o * tanh(layer_norm(usual.c, gain_c, bias_c));
  return {.output = h, .state = {{"h", h}, {"c", usual.c}}};
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
