// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "eddy/graph/value.h"

namespace eddy {

/// Elements of `x` […, n, …], of any dtype, at positions `index` i32[…, m, …] of `axis`; the other axes agree:
/// result[r, i, c] = x[r, index[r, i, c], c]. A negative index gives 0 and no gradient; one beyond the axis is an error
/// at run time. Gradient: scatter_along.
Value gather_along(Operand x, Operand index, int axis);

/// Zeros with `size` positions along `axis`, to which `updates` f32 are added at positions `index` (of the same shape);
/// repeated ones add up.
Value scatter_along(Operand updates, Operand index, int axis, std::int64_t size);

/// One element of each row: x […, n] of any dtype, index i32[…] → […].
Value pick(Operand x, Operand index);

}  // namespace eddy
