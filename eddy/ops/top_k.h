// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "eddy/graph/value.h"

namespace eddy {

struct TopK {
  Value values;   ///< f32 [..., k], largest first
  Value indices;  ///< i32 [..., k], positions in the last axis
};

/// The k largest elements along the last axis of x, f32 [..., n]. Of equals the lower index comes first; NaN counts as
/// largest. The gradient of the values goes back to their places. Throws GraphError unless 1 <= k <= n.
TopK top_k(Operand x, std::int64_t k);

}  // namespace eddy
