// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <initializer_list>
#include <span>

#include "eddy/graph/value.h"

namespace eddy {

/// `x` with its axes in another order: axis i of the result is axis permutation[i] of `x` (negative ones count from the
/// end). Any dtype. Throws GraphError unless each axis is named once.
Value transpose(Operand x, std::span<const int> permutation);
Value transpose(Operand x, std::initializer_list<int> permutation);
/// `x` with its last two axes exchanged. Feeding a matmul it costs nothing: compile() makes it a flag of the product.
Value transpose(Operand x);

/// The input of a transpose that exchanges the last two axes and nothing else; empty when `value` is no such thing.
Value transposed_matrix_of(Value value);

}  // namespace eddy
