// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "eddy/graph/value.h"

namespace eddy {

/// base^exponent, f32 with NumPy broadcasting, as the C library's pow. The gradient with respect to a variable exponent
/// is taken as 0 where the base is not above 0.
Value pow(Operand base, Operand exponent);

}  // namespace eddy
