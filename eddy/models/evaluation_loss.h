// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>

#include "eddy/graph/value.h"

namespace eddy {

/// Mean cross-entropy over a vocabulary where no gradient is wanted: hidden f32[time, batch, width], targets
/// i32[time, batch], weights f32[time, batch] → []. `logits` maps [batch or time * batch, width] to [.., classes].
/// When the logits of all positions would take more than `most_bytes`, a loop over time holds those of one step only.
Value evaluation_loss(Value hidden, Value targets, Value weights, std::int64_t classes,
                      const std::function<Value(Value rows)>& logits, std::int64_t most_bytes = 64 << 20);

}  // namespace eddy
