// SPDX-License-Identifier: Apache-2.0
#include "eddy/models/seq2seq_cells.h"

#include "eddy/ops/linear.h"
#include "eddy/ops/mul.h"
#include "eddy/ops/recurrence_equations.h"
#include "eddy/ops/tanh.h"

namespace eddy {

Step TanhStateLstmCell::operator()(Value x, const State& state) const {
  const LstmUpdate usual = lstm_update(base.gates(x, state), state["c"], base.hard_sigmoid);
  const Value c = tanh(usual.c);
  const Value h = usual.o * c;
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
