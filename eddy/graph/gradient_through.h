// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal: part of gradient rules.

#include <functional>
#include <span>
#include <vector>

#include "eddy/graph/gradient.h"

namespace eddy {

/// The gradients of an op's inputs by way of other ops: `equal` makes values equal to the op's outputs from `inputs`,
/// and what is returned is the gradient of those. An output that no gradient reaches may be left out (empty, or missing
/// at the end). For fused ops whose gradient is wanted too rarely to be fused, such as the gradient of a gradient.
std::vector<Gradient> gradient_through(const GradientContext& context,
                                       const std::function<std::vector<Value>(std::span<const Value> inputs)>& equal);

}  // namespace eddy
