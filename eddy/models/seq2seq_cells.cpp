// SPDX-License-Identifier: Apache-2.0
#include "eddy/models/seq2seq_cells.h"

#include "eddy/ops/add.h"
#include "eddy/ops/hard_sigmoid.h"
#include "eddy/ops/linear.h"
#include "eddy/ops/matmul.h"
#include "eddy/ops/mul.h"
#include "eddy/ops/sigmoid.h"
#include "eddy/ops/slice.h"
#include "eddy/ops/tanh.h"

namespace eddy {

Step TanhStateLstmCell::operator()(Value x, const State& state) const {
  const auto gate = [&](Value value) { return base.hard_sigmoid ? hard_sigmoid(value) : sigmoid(value); };
  const auto [i, f, g, o] = split<4>(linear(x, base.w_x, base.bias) + matmul(state["h"], base.w_h), 1);
  const Value c = tanh(gate(f) * state["c"] + gate(i) * tanh(g));
  const Value h = gate(o) * c;
  return {.output = h, .state = {{"h", h}, {"c", c}}};
}

Step OutputLstmCell::operator()(Value x, const State& state) const {
  Step step = base(x, state);
  step.output = tanh(linear(step.output, w_y, bias_y));
  return step;
}

Step AttentionOutputCell::operator()(Value, const State& state) const {
  const Attention::Result read = attention(state["c"]);
  Step step = base(read.context, state);
  step.outputs.set("attention", read.weights);
  return step;
}

}  // namespace eddy
