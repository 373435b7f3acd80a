// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "eddy/graph/value.h"

namespace eddy {

/// Logic on boolean values with NumPy broadcasting.
Value logical_and(Operand a, Operand b);
Value logical_or(Operand a, Operand b);
Value logical_not(Operand x);

}  // namespace eddy
