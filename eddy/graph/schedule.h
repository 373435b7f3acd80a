// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal: part of compilation.

#include <span>
#include <vector>

#include "eddy/graph/graph.h"

namespace eddy {

/// An order in which to run all nodes of `graph`, whose aliases are given by node: inputs first, and every reader of a
/// variable's old value before the node that writes over it; otherwise in the order of creation. Throws GraphError when
/// no such order exists.
std::vector<int> schedule(const Graph& graph, std::span<const std::vector<Alias>> aliases);

}  // namespace eddy
