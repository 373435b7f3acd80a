// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal: part of the mean losses.

#include "eddy/graph/value.h"

namespace eddy {

/// What the weighted sum of a loss is divided by to make its mean: `total`, the sum of the weights, but 1 where that is
/// 0. So all weights 0 make a loss of 0 and gradients of 0, not of 0/0.
Value mean_divisor(Operand total);

}  // namespace eddy
