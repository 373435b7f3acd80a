// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "eddy/graph/value.h"

namespace eddy {

/// Square root, f32 of any shape; the gradient at 0 is infinite.
Value sqrt(Operand x);

}  // namespace eddy
