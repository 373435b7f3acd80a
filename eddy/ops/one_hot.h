// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "eddy/graph/value.h"

namespace eddy {

/// f32 [indices…, depth]: 1 at each index, else 0, for i32 indices of any shape. A negative index gives a row of zeros;
/// one beyond `depth` is an error at run time. No gradient. Throws GraphError unless depth > 0.
Value one_hot(Operand indices, std::int64_t depth);

}  // namespace eddy
