// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "eddy/graph/value.h"

namespace eddy {

/// Rounding of f32 of any shape to whole numbers: down, up, and to the nearest (of two as near, the even one). The
/// result is a constant to gradients: a derivative of 0 wherever there is one.
Value floor(Operand x);
Value ceil(Operand x);
Value round(Operand x);

}  // namespace eddy
