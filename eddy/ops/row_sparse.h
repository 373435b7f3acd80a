// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>

#include "eddy/core/source_location.h"
#include "eddy/graph/gradient.h"
#include "eddy/graph/value.h"

namespace eddy {

/// The same sparse gradient of a table of shape `table` [n, …] with every row named once: the parts' indices (n_i
/// entries each, any shape) become i32[n_1 + n_2 + …], ascending, each row once, padded at the end with -1; rows of
/// equal index are added in the order given, padding rows are zero. Negative indices are dropped; one beyond the table
/// is an error at run time. Differentiable in the rows.
RowSparse coalesce(std::span<const RowSparse> parts, const Shape& table,
                   SourceLocation where = SourceLocation::current());

}  // namespace eddy
