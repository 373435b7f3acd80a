// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "eddy/graph/value.h"

namespace eddy {

/// Σ weight * -log softmax(hidden table' + bias)[target] over the rows, f32[]: hidden f32[rows, size], table
/// f32[classes, size], bias f32[classes], targets i32[rows], weights f32[rows] (no gradient flows to them). Rows of
/// weight 0 or a negative target cost nothing. The logits never exist whole: a stretch of rows at a time is multiplied,
/// turned into its loss and, where a gradient is asked for, at once into its share of the gradients. A target beyond
/// the classes is an error at run time, with its position. From the second derivative on the logits exist whole. Throws
/// GraphError when sizes do not fit.
Value linear_cross_entropy(Operand hidden, Operand table, Operand bias, Operand targets, Operand weights);

/// weights / their sum over the rows whose target counts, f32[rows]: with them the sum above is a mean. Zeros when
/// nothing counts. Throws GraphError, with the user's line, when sizes do not fit.
Value shares_of_mean(Value targets, Value weights, SourceLocation where = SourceLocation::current());

}  // namespace eddy
