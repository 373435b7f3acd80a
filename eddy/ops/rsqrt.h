// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "eddy/graph/value.h"

namespace eddy {

/// 1 / sqrt(x), f32 of any shape.
Value rsqrt(Operand x);

}  // namespace eddy
