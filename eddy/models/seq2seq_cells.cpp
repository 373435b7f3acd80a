// SPDX-License-Identifier: Apache-2.0
#include "eddy/models/seq2seq_cells.h"

#include "eddy/graph/builder_scope.h"
#include "eddy/ops/linear.h"
#include "eddy/ops/mul.h"
#include "eddy/ops/recurrence_equations.h"
#include "eddy/ops/slice.h"
#include "eddy/ops/tanh.h"

namespace eddy {

Step RecurrentshopLstmCell::operator()(Value x, const State& state, SourceLocation where) const {
  const BuilderScope at("RecurrentshopLstmCell", "x", x, where);
  const Value gates = base.gates(x, state);
  const LstmUpdate usual = lstm_update(gates, state["c"], base.hard_sigmoid);
  const Value c = base.clipped(usual.c);
  const Value tanh_c = tanh(c);
  const Value h = (linear_output_gate ? split<4>(gates, 1)[3] : usual.o) * tanh_c;
  return {.output = h, .state = {{"h", h}, {"c", store_tanh_of_cell ? tanh_c : c}}};
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
