// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal: part of the fusion of elementwise ops.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <vector>

#include "eddy/graph/fused_access.h"
#include "eddy/graph/graph.h"
#include "eddy/graph/latest_input_tree.h"

namespace eddy {

/// Whether a fused op may have the node as one of its instructions.
bool can_be_fused(const Node& node);

/// Which nodes of a graph are to become one, found in the constructor: elementwise ones that feed each other and cover
/// the same elements, where no path between two of them leaves the group and comes back. The graph must outlive it.
class FusionGroups {
 public:
  struct Group {
    std::vector<int> members;  ///< ascending
    std::vector<int> joins;    ///< nodes that only put results of members side by side
    FusedDivision division;
    std::int64_t rank = 0;

    bool contains(int id) const { return std::ranges::binary_search(members, id); }
  };

  explicit FusionGroups(const Graph& graph);

  /// The group the node becomes a part of, or null when it stays alone.
  const Group* group_of(int id) const {
    const int index = index_[static_cast<std::size_t>(id)];
    if (index < 0) return nullptr;
    const Group& group = groups_[static_cast<std::size_t>(index)];
    return group.members.size() + group.joins.size() >= 2 ? &group : nullptr;
  }

  /// The part of another value that `value` is, when that is strided; reading it there saves a copy.
  std::optional<Window> window_of(const Value& value) const;

  /// How a value from outside is read: in the node that made it or, given as a window, in that node's input.
  struct Operand {
    FusedOp::Access access;
    bool is_window = false;
  };
  /// For an output of `shape`; nothing, and `division`, as fused_access().
  std::optional<Operand> operand(const Value& value, const Shape& shape, FusedDivision& division) const;

  /// Nodes that read the node, ascending.
  const std::vector<int>& readers(int id) const { return readers_[static_cast<std::size_t>(id)]; }

 private:
  /// A search for what a unit, a group or a single node, waits for, or for what waits for it, among the units ranked
  /// from `low` to `high`.
  struct Search {
    bool back;
    int mark;
    std::int64_t low, high;
    std::vector<int> found = {};  ///< first nodes of units
    std::size_t next = 0;
    std::size_t work = 0;
  };

  const Node& node(int id) const { return graph_.node(id); }
  /// Whether the node can be computed in this division, which it may make more definite.
  bool fits(int id, const Group& group, FusedDivision& division) const;
  std::int64_t rank_of(int id) const;
  bool clearly_between(const Group& early, const Group& late) const;
  int first_of(int id) const;
  bool meets(Search& search, int first, int other);
  std::optional<std::int64_t> common_rank(const Group& early, const Group& late);
  void rank_between(std::vector<int>& units, const Group& group, bool before);
  void set_rank(int id, std::int64_t rank);
  void spread_ranks();
  void place(int id);
  void merge(int a, int b);
  void join(int id);

  const Graph& graph_;
  const LatestInputTree tree_;
  std::vector<int> index_;  ///< by node: of its group; -1: none
  // Single nodes and groups are ranked so that each comes after what it reads; joining two keeps it so.
  std::vector<std::int64_t> rank_;  ///< by node; of single ones
  std::set<std::int64_t> ranks_;    ///< of all
  std::vector<int> searched_;       ///< by first node: the mark of the last search that found the unit
  int search_ = 0;
  int newest_ = -1;                ///< the last node that was placed
  std::vector<bool> has_windows_;  ///< by node: its outputs can be read in its input; views need not, they are free
  std::vector<bool> after_update_;
  std::vector<std::vector<int>> readers_;
  std::vector<Group> groups_;
};

}  // namespace eddy
