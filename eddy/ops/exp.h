// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "eddy/graph/value.h"

namespace eddy {

/// e^x, f32 of any shape.
Value exp(Operand x);

}  // namespace eddy
