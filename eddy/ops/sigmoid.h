// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "eddy/graph/value.h"

namespace eddy {

/// 1 / (1 + e^-x), f32 of any shape.
Value sigmoid(Operand x);

}  // namespace eddy
