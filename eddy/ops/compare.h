// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "eddy/graph/value.h"

namespace eddy {

/// Comparisons of two f32 or two i32 values with NumPy broadcasting; boolean, without gradient. Comparisons with NaN
/// are false, but not_equal, which is true.
Value equal(Operand a, Operand b);
Value not_equal(Operand a, Operand b);
Value less(Operand a, Operand b);
Value less_equal(Operand a, Operand b);
Value greater(Operand a, Operand b);
Value greater_equal(Operand a, Operand b);

}  // namespace eddy
