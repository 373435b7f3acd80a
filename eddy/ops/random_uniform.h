// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "eddy/graph/value.h"

namespace eddy {

/// f32[shape] uniform in [low, high) (or low, when high is that too), drawn with `key` (see random_key). Each call in a
/// graph draws its own numbers. Throws GraphError when low > high.
Value random_uniform(Operand key, const Shape& shape, float low = 0, float high = 1);

}  // namespace eddy
