// SPDX-License-Identifier: Apache-2.0
#include "eddy/models/cell_stack.h"

#include "eddy/graph/builder_scope.h"
#include "eddy/ops/dropout.h"
#include "eddy/ops/fold_key.h"

namespace eddy {

std::string CellStack::h(std::size_t layer) const { return share_state ? "h" : fmt::format("h{}", layer); }
std::string CellStack::c(std::size_t layer) const { return share_state ? "c" : fmt::format("c{}", layer); }

Step CellStack::operator()(Value x, const State& state, Value step, SourceLocation where) const {
  const BuilderScope at("CellStack", "x", x, where);
  at.expect("x", x, f32, {"batch", "in"});
  Value step_key;
  if (dropout > 0 && key) step_key = fold_key(key, step);
  const auto drop = [&](Value value, bool wanted) {
    return wanted && step_key ? eddy::dropout(value, dropout, step_key) : value;
  };
  Step result{.output = drop(x, drop_input), .state = state, .outputs = {}};
  for (std::size_t layer = 0; layer < cells.size(); ++layer) {
    if (layer > 0) result.output = drop(result.output, true);
    const State before{{"h", result.state[h(layer)]}, {"c", result.state[c(layer)]}};
    const Step one = cells[layer](result.output, before);
    result.output = one.output;
    result.state.set(h(layer), one.state["h"]);
    result.state.set(c(layer), one.state["c"]);
    for (const auto& [name, value] : one.outputs) result.outputs.set(name, value);
  }
  result.output = drop(result.output, drop_output);
  return result;
}

State CellStack::zeros(Value like, std::int64_t batch, const std::vector<std::int64_t>& widths,
                       SourceLocation where) const {
  const BuilderScope at("CellStack", "like", like, where);
  at.check(widths.size() == cells.size(), "there are {} widths for {} cells", widths.size(), cells.size());
  State state;
  for (std::size_t layer = 0; layer < cells.size(); ++layer) {
    if (share_state)
      at.check(widths[layer] == widths[0], "cells of widths {} and {} cannot share a state", widths[0], widths[layer]);
    for (const auto& [name, value] : zero_state(like, {h(layer), c(layer)}, {batch, widths[layer]}))
      state.set(name, value);
  }
  return state;
}

}  // namespace eddy
