// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "eddy/graph/value.h"

namespace eddy {

/// The smaller of a and b, f32 or i32, with NumPy broadcasting. NaN in either gives NaN; where both are equal the
/// gradient is split evenly.
Value minimum(Operand a, Operand b);

}  // namespace eddy
