// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal: part of compilation.

#include <memory>
#include <vector>

#include "eddy/graph/graph.h"
#include "eddy/graph/pass_switches.h"

namespace eddy {

/// A graph private to one compilation, with the values the program must yield.
struct Lowered {
  std::unique_ptr<Graph> graph;
  std::vector<Value> results;
};

/// By node of `graph`: whether a result depends on it.
std::vector<bool> needed_nodes(const Graph& graph, const std::vector<Value>& results);

/// Copies the part of `graph` that the results need. What updates variables (it would change them) and what reads an
/// input that no result needs (it would have to be bound) is always dropped then; other dead nodes stay when `prune` is
/// false.
Lowered extract(const Graph& graph, const std::vector<Value>& results, bool prune);

// A pass gives back the graph it was given when there is nothing for it to do.

Lowered simplify(Lowered in);
Lowered fold_constants(Lowered in);
Lowered eliminate_common_subexpressions(Lowered in);

/// Drops what no result needs.
Lowered prune(Lowered in);

/// Each op's own lowering, see Op::lower.
Lowered lower(Lowered in, const PassSwitches& switches);

/// Where only parts of an elementwise result are read, computes these from the parts of its inputs: fusion then reads
/// them in place, and the result never exists whole.
Lowered sink_windows(Lowered in);

/// Joins elementwise ops that feed each other into single nodes.
Lowered fuse_elementwise(Lowered in);

/// Lets reads of variables whose updates leave rows behind (RowReader) see these rows as they should be.
Lowered read_current_rows(Lowered in);

/// Lets updates that read each other's variables take place: each then reads a copy made before either writes.
Lowered separate_updates(Lowered in);

/// First extract and read_current_rows, then all passes that are on, in order; then separate_updates.
Lowered run_passes(const Graph& graph, const std::vector<Value>& results, const PassSwitches& switches);

}  // namespace eddy
