// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "eddy/graph/value.h"

namespace eddy {

/// 1 / x, f32 of any shape.
Value reciprocal(Operand x);

}  // namespace eddy
