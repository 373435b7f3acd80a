// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal: part of ops.

#include <cstdint>
#include <initializer_list>

#include "eddy/graph/graph.h"

namespace eddy {

/// Base, beside OpClass, of ops that draw random numbers. `stream` tells apart the draws of one graph.
struct RandomOp {
  std::uint32_t stream = 0;
};

/// A stream for an op on `inputs`, which no op of the graph it will stand in uses: that of the innermost of them (see
/// Graph::add). Building the same graph again gives the same streams.
std::uint32_t next_stream(std::initializer_list<Value> inputs);

/// Throws GraphError unless `type` is that of a random key, i32[4].
void require_key(const TensorType& type);

}  // namespace eddy
