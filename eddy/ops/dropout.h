// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "eddy/graph/value.h"
#include "eddy/ops/random_key.h"

namespace eddy {

struct DropoutOptions {
  /// Axes along which one decision holds for all positions. For x [time, batch, features]: {2} drops whole words, {0}
  /// drops the same features at all times of a sequence (Gal & Ghahramani 2016, section 4).
  std::vector<int> broadcast_axes = {};
};

/// Inverted dropout (Srivastava et al. 2014, section 4, scaled in training as in section 10): each element of x (f32,
/// any shape) is multiplied by 0 with probability `rate`, else by 1 / (1 - rate). The decisions are computed from `key`
/// (see random_key), the position, and a number that differs from call to call; none are stored, and the gradient
/// computes the same ones again. rate 0 is x itself; a decoder graph leaves dropout out. Throws GraphError unless 0 <=
/// rate < 1.
Value dropout(Operand x, float rate, Operand key, const DropoutOptions& options = {});

}  // namespace eddy
