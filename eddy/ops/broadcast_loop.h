// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal: part of ops.

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>

#include "eddy/core/shape.h"
#include "eddy/core/threads.h"

namespace eddy {

/// Walks an output together with up to three inputs broadcast to its shape, one contiguous run at a time. Neighbouring
/// axes on which every input either moves or stands still are merged, so equal shapes make a single run.
class BroadcastLoop {
 public:
  static constexpr int kMaxInputs = 3;
  using Offsets = std::array<std::int64_t, kMaxInputs>;

  /// Each of `inputs` must broadcast to `shape`.
  BroadcastLoop(const Shape& shape, std::span<const Shape> inputs);

  /// Whether the input advances along a run; otherwise it is one number for the whole run.
  bool moves(int input) const { return axes_.back().strides[static_cast<std::size_t>(input)] != 0; }

  /// Calls `body(output offset, input offsets, count)` for every run or part of one, in parallel when large.
  template <class Body>
  void run(Body&& body) const {
    parallel_for(elements_, kElementwiseGrain, [&](std::int64_t begin, std::int64_t end) { walk(begin, end, body); });
  }

 private:
  struct Axis {
    std::int64_t size = 1;
    Offsets strides{};
  };

  template <class Body>
  void walk(std::int64_t begin, std::int64_t end, Body&& body) const {
    std::array<std::int64_t, Shape::kMaxRank> index;
    Offsets offsets = locate(begin, index);
    const Axis& inner = axes_.back();
    while (begin < end) {
      const std::int64_t count = std::min(inner.size - index[Shape::kMaxRank - 1], end - begin);
      body(begin, offsets, count);
      begin += count;
      if (begin == end) return;
      // A part of a run can only be the first: from here on runs start at their first element.
      for (int i = 0; i < kMaxInputs; ++i) offsets[i] -= index[Shape::kMaxRank - 1] * inner.strides[i];
      index[Shape::kMaxRank - 1] = 0;
      for (int axis = Shape::kMaxRank - 2; axis >= 0; --axis) {
        const Axis& a = axes_[static_cast<std::size_t>(axis)];
        for (int i = 0; i < kMaxInputs; ++i) offsets[i] += a.strides[i];
        if (++index[axis] < a.size) break;
        for (int i = 0; i < kMaxInputs; ++i) offsets[i] -= a.size * a.strides[i];
        index[axis] = 0;
      }
    }
  }
  Offsets locate(std::int64_t element, std::array<std::int64_t, Shape::kMaxRank>& index) const;

  std::array<Axis, Shape::kMaxRank> axes_;  // right-aligned; unused axes in front have size 1
  std::int64_t elements_;
};

}  // namespace eddy
