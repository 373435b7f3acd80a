// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "eddy/graph/value.h"

namespace eddy {

enum class Reduction : std::uint8_t {
  mean,  ///< sum of weight * loss over the positions, divided by the sum of the weights; 0 when that is 0
  sum,   ///< sum of weight * loss
  none,  ///< weight * loss of each position
};

struct CrossEntropyOptions {
  Value weights = {};  ///< f32, one for each target; empty for all 1. Taken as given: no gradient.
  Reduction reduction = Reduction::mean;
  /// Target distribution: 1 - s on the target plus s / classes on every class (Szegedy et al. 2016, section 7).
  float label_smoothing = 0;
};

/// -log softmax(logits)[target], f32: logits [.., classes], targets i32[..] → [] or, with Reduction::none, [..]. Fused
/// and stable: one pass over the logits, and one for their gradient, which takes their memory when nothing else needs
/// them. A negative target is an ignored position of weight 0; one beyond the classes is an error at run time, with its
/// position. Differentiable twice in the logits.
Value cross_entropy(Operand logits, Operand targets, const CrossEntropyOptions& options = {});

}  // namespace eddy
