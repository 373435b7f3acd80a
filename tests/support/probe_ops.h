// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <source_location>

#include "eddy/graph/value.h"

namespace eddy::test {

/// sum_i x[i] * weights[i] as a scalar: an asymmetric loss. The tests bring their own op, so that a bug in the
/// library's sums and products cannot hide itself. Differentiable to any order in x and weights.
Value weighted_sum(Value x, Value weights, std::source_location where = std::source_location::current());

/// scalar * x.
Value scaled(Value x, Value scalar, std::source_location where = std::source_location::current());

/// An op without a gradient rule: a copy of x.
Value opaque(Value x, std::source_location where = std::source_location::current());

}  // namespace eddy::test
