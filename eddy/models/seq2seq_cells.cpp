// SPDX-License-Identifier: Apache-2.0
#include "eddy/models/seq2seq_cells.h"

#include "eddy/graph/builder_scope.h"
#include "eddy/ops/linear.h"
#include "eddy/ops/mul.h"
#include "eddy/ops/recurrence_equations.h"
#include "eddy/ops/tanh.h"

namespace eddy {

Step TanhStateLstmCell::operator()(Value x, const State& state, SourceLocation where) const {
  const BuilderScope at("TanhStateLstmCell", "x", x, where);
  const LstmUpdate usual = lstm_update(base.gates(x, state), state["c"], base.hard_sigmoid);
  const Value c = tanh(usual.c);
  const Value h = usual.o * c;
  return {.output = h, .state = {{"h", h}, {"c", c}}};
}

Step OutputLstmCell::operator()(Value x, const State& state, SourceLocation where) const {
  const BuilderScope at("OutputLstmCell", "x", x, where);
  Step step = base(x, state);
  at.expect("w_y", w_y, f32, {step.output.dim(1), "output"});
  at.expect("bias_y", bias_y, f32, {w_y.dim(1)});
  step.output = tanh(linear(step.output, w_y, bias_y));
  return step;
}

Step AttentionOutputCell::operator()(Value, const State& state, SourceLocation where) const {
  const OriginScope origin(where);
  const Attention::Result read = attention(state["c"]);
  Step step = base(read.context, state);
  step.outputs.set("attention", read.weights);
  return step;
}

}  // namespace eddy
