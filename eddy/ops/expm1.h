// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "eddy/graph/value.h"

namespace eddy {

/// e^x - 1, f32 of any shape, with all digits near 0 too (2 ulp).
Value expm1(Operand x);

}  // namespace eddy
