// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "eddy/graph/value.h"

namespace eddy {

/// The smaller of a and b, f32 or i32, with NumPy broadcasting. NaN in either gives NaN. Where both are equal
/// the gradient is split evenly; where either is NaN both get all of it, as in PyTorch.
Value minimum(Operand a, Operand b);

}  // namespace eddy
