// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "eddy/core/source_location.h"
#include "eddy/graph/value.h"

namespace eddy {

/// i32[count]: start, start + step, start + 2 step, … Throws GraphError when one of them leaves i32.
Value iota(Graph& graph, std::int64_t count, std::int32_t start = 0, std::int32_t step = 1,
           SourceLocation where = SourceLocation::current());

}  // namespace eddy
