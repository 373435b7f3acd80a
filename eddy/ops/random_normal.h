// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "eddy/graph/value.h"

namespace eddy {

/// f32[shape] of the standard normal distribution, drawn with `key` (see random_key). Each call in a graph draws its
/// own numbers.
Value random_normal(Operand key, const Shape& shape);

}  // namespace eddy
