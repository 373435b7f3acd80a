// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "eddy/graph/value.h"

namespace eddy {

/// The class with the largest logit, the first of equals: argmax(linear(x, table, bias, {.transpose_w = true})) of
/// x f32[…, size], table [classes, size], bias [classes] -> i32[…]. NaN counts as largest. No gradient. In a loop that
/// decodes up to four rows with one table, too large for a core's cache, bounds on the logits rule nearly all classes
/// out, which reads a quarter of the table's bytes; the rest are computed as linear() does, and so is the answer.
/// Throws GraphError when shapes do not fit.
Value linear_argmax(Operand x, Operand table, Operand bias);

}  // namespace eddy
