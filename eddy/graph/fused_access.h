// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal: part of the fusion of elementwise ops.

#include <cstdint>
#include <optional>

#include "eddy/graph/fused_op.h"

namespace eddy {

/// Rows and columns in which all members of a group are computed; 0 columns: any division will do.
struct FusedDivision {
  std::int64_t elements = 0;
  std::int64_t columns = 0;

  bool agree(std::int64_t wanted) {
    if (columns == 0) columns = wanted;
    return columns == wanted;
  }
};

/// How an input of `type` is read while an output of `shape` is computed; nothing when no rows and columns express it.
/// `division` learns what the access demands of it.
std::optional<FusedOp::Access> fused_access(const TensorType& type, const Shape& shape, FusedDivision& division);

}  // namespace eddy
