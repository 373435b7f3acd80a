// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "eddy/graph/value.h"
#include "eddy/ops/reduce.h"

namespace eddy {

/// Largest element over `axes` (all by default), f32 or i32; reduced axes stay with size 1 when `keep_dims`. NaN wins.
/// The gradient is shared evenly by the elements that equal the result.
Value max(Operand x, Axes axes = {}, bool keep_dims = false);

}  // namespace eddy
