// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "eddy/graph/value.h"

namespace eddy {

/// -x, f32 or i32 (wrapping) of any shape.
Value neg(Operand x);
inline Value operator-(Operand x) { return neg(x); }

}  // namespace eddy
