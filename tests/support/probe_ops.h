// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "eddy/core/source_location.h"
#include "eddy/graph/value.h"

namespace eddy::test {

/// sum_i x[i] * weights[i] as a scalar: an asymmetric loss. The tests bring their own op, so that a bug in the
/// library's sums and products cannot hide itself. Differentiable to any order in x and weights.
Value weighted_sum(Value x, Value weights, SourceLocation where = SourceLocation::current());

/// scalar * x.
Value scaled(Value x, Value scalar, SourceLocation where = SourceLocation::current());

/// An op without a gradient rule: a copy of x.
Value opaque(Value x, SourceLocation where = SourceLocation::current());

}  // namespace eddy::test
