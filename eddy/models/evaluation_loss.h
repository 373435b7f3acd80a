// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "eddy/graph/value.h"

namespace eddy {

/// Mean cross-entropy over a vocabulary where no gradient is wanted: hidden f32[time, batch, width], table
/// f32[classes, width], bias f32[classes], targets i32[time, batch], weights f32[time, batch] → []. When the logits of
/// all positions would take more than `most_bytes` they never exist whole (see linear_cross_entropy).
Value evaluation_loss(Value hidden, Value table, Value bias, Value targets, Value weights,
                      std::int64_t most_bytes = 64 << 20);

}  // namespace eddy
