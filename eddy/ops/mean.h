// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "eddy/graph/value.h"
#include "eddy/ops/reduce.h"

namespace eddy {

/// Mean over `axes` (all by default), f32; reduced axes stay with size 1 when `keep_dims`. Summed as sum()
/// does: elements near the largest of f32 make an infinity.
Value mean(Operand x, Axes axes = {}, bool keep_dims = false);

}  // namespace eddy
