// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "eddy/graph/value.h"

namespace eddy {

/// i32 index of the smallest element along `axis`, the first of equals; of x f32 or i32. NaN counts as smallest. The
/// axis stays with size 1 when `keep_dims`. No gradient. Throws GraphError for an empty axis.
Value argmin(Operand x, int axis = -1, bool keep_dims = false);

}  // namespace eddy
