// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal: part of compilation.

#include <cstddef>
#include <vector>

#include "eddy/graph/graph.h"

namespace eddy {

/// Numbers the values of a graph without gaps, in order: what is known of each fits in one plain table.
class ValueNumbers {
 public:
  explicit ValueNumbers(const Graph& graph) {
    first_.reserve(static_cast<std::size_t>(graph.size()) + 1);
    first_.push_back(0);
    for (int id = 0; id < graph.size(); ++id) first_.push_back(first_.back() + graph.node(id).outputs.size());
  }

  std::size_t count() const { return first_.back(); }
  std::size_t of(int node, int output) const {
    return first_[static_cast<std::size_t>(node)] + static_cast<std::size_t>(output);
  }
  std::size_t of(const Value& value) const { return of(value.node(), value.output()); }

 private:
  std::vector<std::size_t> first_;  ///< by node: the number of its first output
};

}  // namespace eddy
