// SPDX-License-Identifier: Apache-2.0
#include "eddy/models/cell_stack.h"

#include <map>

#include "eddy/core/number_text.h"
#include "eddy/graph/builder_scope.h"
#include "eddy/ops/dropout.h"
#include "eddy/ops/fold_key.h"

namespace eddy {

namespace {

/// "h" of cell 12 is "h12". A name that ends in a digit, or in what keeps those apart, gets a '/' between.
std::string numbered(std::string_view name, std::size_t layer) {
  const bool apart = !name.empty() && (name.back() == '/' || (name.back() >= '0' && name.back() <= '9'));
  return fmt::format("{}{}{}", name, apart ? "/" : "", layer);
}

/// The states of cell `layer` under the cell's own names.
State states_of(const CellStack& stack, const State& all, std::size_t layer) {
  if (stack.share_state) return all;
  const std::string number = std::to_string(layer);
  State own;
  for (const auto& [name, value] : all) {
    const std::size_t last = name.find_last_not_of("0123456789");
    if (last == std::string::npos || name.substr(last + 1) != number) continue;
    own.set(name.substr(0, name[last] == '/' ? last : last + 1), value);
  }
  return own;
}

}  // namespace

std::string CellStack::name(std::string_view name, std::size_t layer) const {
  return share_state ? std::string(name) : numbered(name, layer);
}

Step CellStack::operator()(Value x, const State& state, Value step, SourceLocation where) const {
  const BuilderScope at("CellStack", "x", x, where);
  at.expect("x", x, f32, {"batch", "in"});
  Value step_key;
  if (dropout > 0 && key) {
    at.check(static_cast<bool>(step), "dropout draws anew at each step; expected the number of the step beside x");
    step_key = fold_key(key, step);
  }
  const auto drop = [&](Value value, bool wanted) {
    return wanted && step_key ? eddy::dropout(value, dropout, step_key) : value;
  };
  Step result{.output = drop(x, drop_input), .state = state, .outputs = {}};
  std::vector<State> outputs;
  for (std::size_t layer = 0; layer < cells.size(); ++layer) {
    if (layer > 0) result.output = drop(result.output, true);
    const Value in[] = {result.output, step};
    const Step one = cells[layer](in, states_of(*this, result.state, layer), where);
    result.output = one.output;
    for (const auto& [own, value] : one.state) result.state.set(name(own, layer), value);
    outputs.push_back(one.outputs);
  }
  std::map<std::string, int> givers;
  for (const State& of_cell : outputs)
    for (const auto& [own, value] : of_cell) ++givers[own];
  for (std::size_t layer = 0; layer < outputs.size(); ++layer)
    for (const auto& [own, value] : outputs[layer])
      result.outputs.set(givers[own] > 1 ? numbered(own, layer) : own, value);
  result.output = drop(result.output, drop_output);
  return result;
}

State CellStack::zeros(Value like, std::int64_t batch, const std::vector<std::int64_t>& widths,
                       std::initializer_list<std::string_view> names, SourceLocation where) const {
  const BuilderScope at("CellStack", "like", like, where);
  at.check(widths.size() == cells.size(), "{} given for {}", counted(std::ssize(widths), "width"),
           counted(std::ssize(cells), "cell"));
  State state;
  for (std::size_t layer = 0; layer < cells.size(); ++layer) {
    if (share_state)
      at.check(widths[layer] == widths[0], "cells of widths {} and {} cannot share a state", widths[0], widths[layer]);
    for (const auto& [own, value] : zero_state(like, names, {batch, widths[layer]})) state.set(name(own, layer), value);
  }
  return state;
}

}  // namespace eddy
