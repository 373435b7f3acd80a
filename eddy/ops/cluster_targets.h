// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "eddy/graph/value.h"

namespace eddy {

/// Targets of a two-level softmax over classes cut at rising `cutoffs`: the head has the first cutoffs[0] classes and
/// one class for each later stretch [cutoffs[i], cutoffs[i + 1]), the last of which ends the classes. From targets i32
/// of any shape: those of the head, then of each stretch, counted from its first class, -1 where the target is outside
/// it. A negative target is -1 in all of them; one beyond the classes is an error at run time, with its position.
/// Throws GraphError for cutoffs that do not rise from above 0.
std::vector<Value> cluster_targets(Operand targets, const std::vector<std::int64_t>& cutoffs);

}  // namespace eddy
