// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "eddy/graph/value.h"

namespace eddy {

/// Products of padded texts that leave the padding out, at the cost of the rows that are left. `mask` f32[rows] is 0 or
/// 1 and has no gradient. Without padding they are as fast as linear() and matmul(). Both throw GraphError when sizes
/// do not fit.

/// x w + b where the mask is 1, zeros elsewhere: x f32[rows, in], w [in, out], b [out] -> [rows, out].
Value masked_linear(Operand x, Operand w, Operand b, Operand mask);

/// x, w, the mask and the bias of the masked_linear() that `value` is the result of; nothing for any other value.
std::vector<Value> masked_linear_inputs(Value value);

/// a^T b over the rows where the mask is 1: a f32[rows, m], b [rows, n] -> [m, n]. The gradient of weights.
Value masked_row_sum(Operand a, Operand b, Operand mask);

}  // namespace eddy
