// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "eddy/graph/value.h"

namespace eddy {

/// x limited to [low, high], f32 or i32 of any shape. The gradient passes where low <= x <= high. Throws GraphError for
/// a lower limit above the upper one and, with i32, for a limit that is neither a whole number nor infinite.
Value clamp(Operand x, double low, double high);

}  // namespace eddy
