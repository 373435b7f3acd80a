// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal: part of ops.

#include <algorithm>
#include <cstdint>

#include "eddy/core/shape.h"
#include "eddy/core/threads.h"

namespace eddy {

/// An array seen as [outer, size, inner] around one axis.
struct AxisSplit {
  std::int64_t outer;
  std::int64_t size;
  std::int64_t inner;

  AxisSplit(const Shape& shape, int axis) {
    const int at = shape.normalize_axis(axis);
    outer = shape.product(0, at);
    size = shape[at];
    inner = shape.product(at + 1, shape.rank());
  }

  /// Calls `body(first element of a row)` on every row when inner is 1; in parallel when large.
  template <class Body>
  void for_rows(Body&& body) const {
    parallel_for(outer, grain(), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row) body(row * size);
    });
  }

  static constexpr std::int64_t kStrip = 64;
  /// Calls `body(first element, columns, columns before)` on every strip of at most kStrip neighbouring columns, where
  /// a column has `size` elements, `inner` apart, and `columns before` is the number of columns in front of the strip.
  template <class Body>
  void for_strips(Body&& body) const {
    const std::int64_t strips = (inner + kStrip - 1) / kStrip;
    parallel_for(outer * strips, std::max<std::int64_t>(1, grain() / kStrip),
                 [&](std::int64_t begin, std::int64_t end) {
                   for (std::int64_t item = begin; item < end; ++item) {
                     const std::int64_t column = item % strips * kStrip;
                     const std::int64_t index = item / strips;
                     body(index * size * inner + column, std::min(kStrip, inner - column), index * inner + column);
                   }
                 });
  }

 private:
  std::int64_t grain() const { return grain_of(size, kElementwiseGrain / 4); }
};

}  // namespace eddy
