// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "eddy/graph/value.h"

namespace eddy {

/// As the end of a slice: the end of the axis.
inline constexpr std::int64_t kToEnd = std::numeric_limits<std::int64_t>::max();

/// Positions [begin, end) of `axis`; negative positions count from the end. Any dtype. Along the leading axis it is a
/// view. Throws GraphError when the range does not lie within the axis.
Value slice(Operand x, int axis, std::int64_t begin, std::int64_t end = kToEnd);

/// Position `index` of `axis`, which disappears: x[index] for axis 0. Negative ones count from the end; GraphError when
/// out of range.
Value at(Operand x, std::int64_t index, int axis = 0);

/// `x` with `before` and `after` elements of `number` around `axis`: f32[2,3] → f32[2,before+3+after]. Any dtype,
/// of which `number` must be a value.
Value pad(Operand x, int axis, std::int64_t before, std::int64_t after, double number = 0);

/// Consecutive pieces of `axis` of the given sizes, which must add up to it. Any dtype; views along the leading axis.
std::vector<Value> split(Operand x, std::span<const std::int64_t> sizes, int axis);
/// `parts` pieces of equal size. Throws GraphError when the axis does not divide into them.
std::vector<Value> split(Operand x, int parts, int axis);

/// The same for structured bindings: `auto [i, f, g, o] = split<4>(gates, 1);`
template <std::size_t parts>
std::array<Value, parts> split(Operand x, int axis) {
  const std::vector<Value> values = split(x, static_cast<int>(parts), axis);
  std::array<Value, parts> result;
  for (std::size_t i = 0; i < parts; ++i) result[i] = values[i];
  return result;
}

}  // namespace eddy
