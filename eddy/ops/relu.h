// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "eddy/graph/value.h"

namespace eddy {

/// max(x, 0), f32 of any shape; NaN stays NaN. The gradient at 0 is 0; at NaN it passes as above 0, as in PyTorch.
Value relu(Operand x);

}  // namespace eddy
