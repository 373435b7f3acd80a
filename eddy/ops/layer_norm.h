// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "eddy/graph/value.h"

namespace eddy {

struct LayerNormOptions {
  float epsilon = 1e-5F;
};

/// gain * (x - mean) / sqrt(variance + epsilon) + bias (Ba et al. 2016, section 3), where mean and (biased) variance
/// are over the last axis: x f32 [..., n], gain and bias f32 [n]. One op for each direction; from the second order on
/// the gradient is made of small ops.
Value layer_norm(Operand x, Operand gain, Operand bias, const LayerNormOptions& options = {});

}  // namespace eddy
