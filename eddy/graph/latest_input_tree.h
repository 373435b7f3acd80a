// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal: part of the fusion of elementwise ops.

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include "eddy/graph/graph.h"

namespace eddy {

/// For each node the latest one it reads is its parent. A node's ancestors are among those it waits for; to find some
/// of them takes one comparison.
class LatestInputTree {
 public:
  explicit LatestInputTree(const Graph& graph)
      : first_(static_cast<std::size_t>(graph.size())), size_(static_cast<std::size_t>(graph.size()), 1) {
    std::vector<int> parents(first_.size(), -1);
    for (int id = graph.size() - 1; id >= 0; --id) {
      int& parent = parents[static_cast<std::size_t>(id)];
      for (const Value& input : graph.node(id).inputs) parent = std::max(parent, input.node());
      if (parent >= 0) size_[static_cast<std::size_t>(parent)] += size_[static_cast<std::size_t>(id)];
    }
    // Nodes are numbered so that those below one follow it.
    std::vector<int> next(first_.size());
    int next_root = 0;
    for (std::size_t id = 0; id < first_.size(); ++id) {
      int& place = parents[id] >= 0 ? next[static_cast<std::size_t>(parents[id])] : next_root;
      first_[id] = std::exchange(place, place + size_[id]);
      next[id] = first_[id] + 1;
    }
  }

  bool is_below(int id, int ancestor) const {
    const auto top = static_cast<std::size_t>(ancestor);
    const int distance = first_[static_cast<std::size_t>(id)] - first_[top];
    return distance >= 0 && distance < size_[top];
  }

 private:
  std::vector<int> first_, size_;
};

}  // namespace eddy
