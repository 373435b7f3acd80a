// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "eddy/graph/value.h"

namespace eddy {

struct CumsumOptions {
  bool reverse = false;    ///< sums run from the last element to the first
  bool exclusive = false;  ///< an element is no part of its own sum: the first sum is 0
};

/// Sums of the elements along `axis` so far, of x's type, f32 or i32 (wrapping). f32 is summed in double precision, and
/// each sum is rounded once. Throws GraphError for booleans and an axis that x does not have.
Value cumsum(Operand x, int axis, CumsumOptions options = {});

}  // namespace eddy
