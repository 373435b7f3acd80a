// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal: part of loops.

#include <cstddef>
#include <utility>
#include <vector>

#include "eddy/graph/graph.h"

namespace eddy {

/// Where a value stands in its graph: node and output.
using Place = std::pair<int, int>;
inline Place place_of(const Value& value) { return {value.node(), value.output()}; }

inline const Node& node_of(const Value& value) { return value.graph().node(value.node()); }

/// Calls visit(value) for `root` and what it depends on, the inputs of a node in order before the node. A value that
/// `skip` holds for is left out, with what it alone depends on. Chains may be as long as memory allows.
template <class Skip, class Visit>
void visit_inputs_first(const Value& root, Skip&& skip, Visit&& visit) {
  struct Step {
    Value value;
    std::size_t next_input = 0;
  };
  std::vector<Step> path;
  const auto enter = [&](const Value& value) {
    if (!skip(value)) path.push_back({value});
  };
  enter(root);
  while (!path.empty()) {
    Step& step = path.back();
    const std::vector<Value>& inputs = node_of(step.value).inputs;
    if (step.next_input < inputs.size()) {
      enter(inputs[step.next_input++]);
    } else {
      const Value value = step.value;
      path.pop_back();
      visit(value);
    }
  }
}

}  // namespace eddy
