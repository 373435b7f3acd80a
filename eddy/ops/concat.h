// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "eddy/core/source_location.h"
#include "eddy/graph/value.h"

namespace eddy {

/// Values joined along `axis`: f32[2,3] and f32[2,4] along axis 1 give f32[2,7]. Any one dtype; the other axes must
/// agree. Throws GraphError when they do not, or when there are no values.
Value concat(const std::vector<Value>& values, int axis, SourceLocation where = SourceLocation::current());

/// Values of one type laid along a new axis, which becomes axis `axis` of the result.
Value stack(const std::vector<Value>& values, int axis = 0, SourceLocation where = SourceLocation::current());

}  // namespace eddy
