// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "eddy/graph/value.h"

namespace eddy {

/// x * x, f32 of any shape.
Value square(Operand x);

}  // namespace eddy
