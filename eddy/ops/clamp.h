// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "eddy/graph/value.h"

namespace eddy {

/// x limited to [low, high], f32 of any shape. The gradient passes where low <= x <= high.
Value clamp(Operand x, float low, float high);

}  // namespace eddy
