// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal: part of scan.

#include <span>
#include <vector>

#include "eddy/ops/scan_op.h"

namespace eddy {

/// Which inputs of a loop with this body gradients reach from each of its outputs, over any number of steps; as
/// Op::gradient_paths().
std::vector<std::vector<bool>> paths_of_gradients(const ScanBody& body);

/// Which of a loop's states gradients come to.
struct StateGradients {
  std::vector<bool> after;   ///< after some step: from outside, or because a later step read the state
  std::vector<bool> before;  ///< before some step, from within it
};

/// Of gradients that arrive from outside at `values` of the step and at the states `after` steps.
StateGradients gradients_of_states(const ScanBody& body, std::span<const Value> values, std::vector<bool> after);

}  // namespace eddy
