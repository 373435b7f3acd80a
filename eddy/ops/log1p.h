// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "eddy/graph/value.h"

namespace eddy {

/// log(1 + x), f32 of any shape, with all digits near 0 too (2 ulp); -inf at -1, NaN below.
Value log1p(Operand x);

}  // namespace eddy
