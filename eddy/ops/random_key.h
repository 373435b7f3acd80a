// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "eddy/core/source_location.h"
#include "eddy/graph/value.h"
#include "eddy/graph/variable.h"

namespace eddy {

/// The variable "random/key", i32[4] = {seed low, seed high, step low, step high}: from it and from its own stream
/// number each random op of the graph computes its numbers, so that nothing random is ever stored. The seed follows
/// from the store's; the step counts runs.
Value random_key(Graph& graph, ParameterStore& store, SourceLocation where = SourceLocation::current());

/// Adds 1 to the step, after all other readers of the key have run: the next run draws other numbers. The result is the
/// new key, one and the same however often it is asked for. Optimizers ask for it (minimize()); another program that
/// draws numbers has it among its results, or behind after().
Value advance_random(Operand key);

}  // namespace eddy
