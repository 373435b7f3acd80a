// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "eddy/graph/value.h"

namespace eddy {

/// Hyperbolic tangent, f32 of any shape.
Value tanh(Operand x);

}  // namespace eddy
