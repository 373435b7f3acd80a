// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "eddy/graph/value.h"

namespace eddy {

/// Natural logarithm, f32 of any shape; -inf at 0, NaN below.
Value log(Operand x);

}  // namespace eddy
