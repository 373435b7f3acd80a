// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "eddy/graph/value.h"

namespace eddy {

/// A random key i32[4] made from `key` and the number `index` i32[] (see random_key): each index gives other draws. In
/// a loop whose steps must draw different numbers, fold in the step, which comes as a sequence: iota(graph, time).
Value fold_key(Operand key, Operand index);

}  // namespace eddy
