// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "eddy/graph/value.h"

namespace eddy {

/// `x` with the order along `axis` turned round. Any dtype.
Value reverse(Operand x, int axis = 0);

}  // namespace eddy
