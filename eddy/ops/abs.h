// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "eddy/graph/value.h"

namespace eddy {

/// |x|, f32 or i32 (wrapping) of any shape; the gradient at 0 is 0.
Value abs(Operand x);

}  // namespace eddy
