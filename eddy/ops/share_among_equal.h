// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal: part of ops.

#include "eddy/graph/value.h"
#include "eddy/ops/reduce.h"

namespace eddy {

/// The gradient of x's largest (or smallest) elements `best` over axes: `d_best`, shared evenly by the elements of x
/// that equal `best`, as PyTorch's amax does.
Value share_among_equal(Value x, Value best, Value d_best, const ReducedAxes& over);

}  // namespace eddy
