// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal: part of ops.

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "eddy/core/threads.h"
#include "eddy/graph/op.h"

namespace eddy {

/// Copies `rows` strips of `width` bytes, `in_stride` and `out_stride` bytes apart; parallel when large.
inline void copy_strips(const std::byte* in, std::int64_t in_stride, std::byte* out, std::int64_t out_stride,
                        std::int64_t width, std::int64_t rows) {
  if (width == 0) return;
  parallel_for(rows, grain_of(width, 4 * kElementwiseGrain), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row)
      std::memcpy(out + row * out_stride, in + row * in_stride, static_cast<std::size_t>(width));
  });
}

/// Positions [begin, end) of `axis` of a tensor.
inline Window window_along(const Shape& shape, int axis, std::int64_t begin, std::int64_t end) {
  const std::int64_t unit = shape.product(axis + 1, shape.rank());
  return {.rows = shape.product(0, axis),
          .width = (end - begin) * unit,
          .stride = shape[axis] * unit,
          .begin = begin * unit};
}

}  // namespace eddy
