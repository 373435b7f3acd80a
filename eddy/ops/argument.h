// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal: part of ops.

#include <string_view>
#include <utility>

#include "eddy/graph/user_line.h"
#include "eddy/ops/elementwise.h"

namespace eddy {

/// Throws GraphError with op and the line of `x` unless `condition` holds.
template <class... Args>
void require_argument(bool condition, std::string_view op, const Operand& x, fmt::format_string<Args...> format,
                      Args&&... args) {
  require_at(condition, x.where, op, format, std::forward<Args>(args)...);
}

/// A possibly negative axis of the value behind `x` as 0 … rank - 1. Throws GraphError with op and line.
inline int axis_of(std::string_view op, const Operand& x, int axis) {
  const Value value = value_of(op, x);
  const int rank = value.rank();
  require_argument(axis >= -rank && axis < rank, op, x, "axis {} is out of range for {}", axis,
                   to_string(value.type()));
  return axis < 0 ? axis + rank : axis;
}

}  // namespace eddy
