// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "eddy/graph/value.h"

namespace eddy {

/// x as another dtype. f32 to i32 truncates, saturates and makes 0 of NaN; anything but 0 becomes true. Only a cast to
/// the dtype x already has, which is x itself, passes a gradient.
Value cast(Operand x, DType dtype);

}  // namespace eddy
