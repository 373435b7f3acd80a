// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "eddy/graph/value.h"

namespace eddy {

/// log(sum(exp(x))) along `axis`, f32; stable for any finite x. The axis stays with size 1 when `keep_dims`.
Value logsumexp(Operand x, int axis = -1, bool keep_dims = false);

/// For each of at most AxisSplit::kStrip columns x[k * stride + i], k < size: its largest element, and the logarithm of
/// sum_k exp(x - largest). Their sum is the column's logsumexp; apart they lose no digits to large arguments. Serial.
void log_sum_exp_columns(const float* x, std::int64_t size, std::int64_t stride, std::int64_t columns, float* largest,
                         float* log_total);

}  // namespace eddy
