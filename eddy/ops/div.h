// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "eddy/graph/value.h"

namespace eddy {

/// a / b, f32 with NumPy broadcasting. Integers must be cast first.
Value div(Operand a, Operand b);
inline Value operator/(Operand a, Operand b) { return div(a, b); }

}  // namespace eddy
