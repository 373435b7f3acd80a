// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "eddy/graph/value.h"

namespace eddy {

/// The positions of a batch as rows.
struct Positions {
  Value states;   ///< f32[time * batch, size]
  Value targets;  ///< i32[time * batch]
  Value weights;  ///< f32[time * batch]
};

/// Of states f32[time, batch, size], targets i32[time, batch] and weights f32[time, batch]. Views.
Positions flat_positions(Value states, Value targets, Value weights, SourceLocation where = SourceLocation::current());

/// The mean of -log softmax(states table' + bias)[target] over the positions, by weight, f32[]; shapes as above, table
/// f32[classes, size], bias f32[classes]. With samples > 0 it is estimated from so many log-uniform classes drawn with
/// `key`, for classes sorted by falling frequency. In nats. Throws GraphError when shapes do not fit.
Value softmax_loss(Value states, Value table, Value bias, Value targets, Value weights, std::int64_t samples = 0,
                   Value key = {}, SourceLocation where = SourceLocation::current());

}  // namespace eddy
