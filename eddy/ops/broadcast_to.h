// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "eddy/graph/value.h"

namespace eddy {

/// x repeated to `shape` by the rules of NumPy; any dtype.
Value broadcast_to(Operand x, const Shape& shape);

/// x repeated to `shape`, where x lacks the axes `inserted` of `shape` (ascending, none negative): the inverse of a
/// reduction over them. Other axes are equal or of size 1 in x.
Value broadcast_along(Operand x, const Shape& shape, std::vector<int> inserted);

}  // namespace eddy
