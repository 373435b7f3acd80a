// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal: part of optimizers.

#include <vector>

#include "eddy/core/source_location.h"
#include "eddy/graph/value.h"

namespace eddy {

/// What one look at all gradients of a step yields.
struct GradientNorm {
  Value norm;     ///< f32[]: Euclidean norm of the gradients that count, taken together
  Value scale;    ///< f32[]: min(1, max_norm / (norm + 1e-6)), Pascanu et al. 2013; 1 when max_norm is 0
  Value proceed;  ///< bool[]: whether every element of every gradient is finite (and the norm is); true when not asked
};

struct NormedGradient {
  Value values;        ///< f32 of any shape; of a row-sparse gradient its coalesced rows
  bool counts = true;  ///< false: left out of the norm, but still watched for infinities and NaNs
};

/// Sums squares in one pass over blocks of fixed size, whose sums are added in double: the bits do not depend on the
/// number of threads. Squares themselves are f32, so that elements from 1e19 on make the norm infinite, and those below
/// 1e-23 count as 0.
GradientNorm gradient_norm(const std::vector<NormedGradient>& gradients, double max_norm, bool watch_non_finite,
                           SourceLocation where = SourceLocation::current());

}  // namespace eddy
