// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "eddy/graph/value.h"
#include "eddy/ops/reduce.h"

namespace eddy {

/// Sum over `axes` (all by default) of f32 or i32 (wrapping); reduced axes stay with size 1 when `keep_dims`.
/// f32 is summed in double precision, but for blocks of neighbours, which are added in f32 first: a block whose sum is
/// beyond the range of f32 makes an infinity.
Value sum(Operand x, Axes axes = {}, bool keep_dims = false);

/// x summed over the axes along which `shape` broadcasts to x's shape: the inverse of broadcasting.
Value sum_to(Operand x, const Shape& shape);

/// Sum over `axes`, of which `kept` stay with size 1 (both ascending, none negative).
Value sum_along(Operand x, std::vector<int> axes, std::vector<int> kept);

}  // namespace eddy
