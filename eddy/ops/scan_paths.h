// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal: part of scan.

#include <vector>

#include "eddy/ops/scan_op.h"

namespace eddy {

/// Which inputs of a loop with this body gradients reach from each of its outputs, over any number of steps; as
/// Op::gradient_paths().
std::vector<std::vector<bool>> paths_of_gradients(const ScanBody& body);

}  // namespace eddy
