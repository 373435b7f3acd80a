// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "eddy/graph/value.h"

namespace eddy {

/// clamp(0.2 x + 0.5, 0, 1), Keras' cheap sigmoid; f32 of any shape. The gradient is 0 at the corners x = -2.5 and 2.5.
Value hard_sigmoid(Operand x);

}  // namespace eddy
