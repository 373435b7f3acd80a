// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "eddy/graph/value.h"

namespace eddy {

/// a + b, f32 or i32 (wrapping), with NumPy broadcasting.
Value add(Operand a, Operand b);
inline Value operator+(Operand a, Operand b) { return add(a, b); }

}  // namespace eddy
