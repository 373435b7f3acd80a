// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "eddy/graph/value.h"

namespace eddy {

/// a where `condition` (boolean) holds, else b; a and b of one dtype. All three broadcast as in NumPy.
Value where(Operand condition, Operand a, Operand b);

}  // namespace eddy
