// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/reduce_kernel.h"

#include "eddy/core/math.h"

namespace eddy {

ReducePlan::ReducePlan(const Shape& x, const std::vector<int>& axes) {
  std::vector<Axis> merged;  // innermost first
  std::vector<bool> is_reduced;
  std::int64_t stride = 1;
  for (int axis = x.rank() - 1; axis >= 0; --axis) {
    if (x[axis] == 1) continue;
    const bool reduce = std::ranges::find(axes, axis) != axes.end();
    if (!merged.empty() && is_reduced.back() == reduce) {
      merged.back().size *= x[axis];
    } else {
      merged.push_back({x[axis], stride});
      is_reduced.push_back(reduce);
    }
    stride *= x[axis];
  }
  if (!merged.empty()) {
    inner = merged[0].size;
    inner_reduced = is_reduced[0];
  }
  for (std::size_t i = merged.size(); i-- > 1;) (is_reduced[i] ? reduced : kept).push_back(merged[i]);
  for (const Axis& axis : kept) outer *= axis.size;
  for (const Axis& axis : reduced) segments *= axis.size;

  constexpr std::int64_t kEnoughItems = 32;
  if (inner_reduced) {
    if (segments == 1 && outer < kEnoughItems) parts = std::clamp<std::int64_t>(inner / 16384, 1, 64);
  } else if (outer * ((inner + kReduceStrip - 1) / kReduceStrip) < kEnoughItems) {
    parts = std::clamp<std::int64_t>(segments / 64, 1, 32);
  }
}

FloatSum::Sum FloatSum::row(const In* in, std::int64_t n) {
  if (n >= 16) return vector_sum(in, n);
  Sum sum = 0;
  for (std::int64_t i = 0; i < n; ++i) sum += in[i];
  return sum;
}

void FloatSum::rows(Sum* sums, const In* in, std::int64_t stride, std::int64_t rows, std::int64_t n) {
  std::int64_t row = 0;
  for (; row + 8 <= rows; row += 8) {
    const float* r = in + row * stride;
    for (std::int64_t i = 0; i < n; ++i) {
      const float* p = r + i;
      const float low = (p[0] + p[stride]) + (p[2 * stride] + p[3 * stride]);
      const float high = (p[4 * stride] + p[5 * stride]) + (p[6 * stride] + p[7 * stride]);
      sums[i] += static_cast<double>(low + high);
    }
  }
  for (; row < rows; ++row)
    for (std::int64_t i = 0; i < n; ++i) sums[i] += static_cast<double>(in[row * stride + i]);
}

}  // namespace eddy
