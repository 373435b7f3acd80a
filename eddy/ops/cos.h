// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "eddy/graph/value.h"

namespace eddy {

/// Cosine of x in radians, f32 of any shape: within 2 ulp however large x is, NaN for infinities.
Value cos(Operand x);

}  // namespace eddy
