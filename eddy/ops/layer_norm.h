// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "eddy/graph/value.h"

namespace eddy {

struct LayerNormOptions {
  float epsilon = 1e-5F;
  /// One op for each direction. Without it the same is built from small ops, slower, but with gradients of any order;
  /// the fused gradient has none.
  bool fused = true;
};

/// gain * (x - mean) / sqrt(variance + epsilon) + bias (Ba et al. 2016), where mean and (biased) variance are over the
/// last axis: x f32 [..., n], gain and bias f32 [n].
Value layer_norm(Operand x, Operand gain, Operand bias, const LayerNormOptions& options = {});

}  // namespace eddy
