// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal: part of optimizers.

#include "eddy/core/source_location.h"
#include "eddy/graph/value.h"

namespace eddy {

/// Adds 1 to the variable `counter` i32[] in runs where `condition` bool[] equals `when`; the result is its new value.
Value count_when(Value counter, Value condition, bool when, SourceLocation where = SourceLocation::current());

}  // namespace eddy
