// SPDX-License-Identifier: Apache-2.0
#include "eddy/core/running_sum.h"

#include "eddy/core/simd_targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "eddy/core/running_sum.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>

HWY_BEFORE_NAMESPACE();
namespace eddy::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using Doubles = hn::ScalableTag<double>;
using Floats = hn::Rebind<float, Doubles>;
using DoubleVec = hn::Vec<Doubles>;
constexpr int kWidth = HWY_LANES(double);

HWY_INLINE void store_rounded(DoubleVec x, float* to) {
  // Highway's portable conversion makes finite numbers of infinities.
  if constexpr (kWidth == 1)
    *to = static_cast<float>(hn::GetLane(x));
  else
    hn::StoreU(hn::DemoteTo(Floats(), x), Floats(), to);
}

/// Moves lanes `kStep` places on, or back where sums run from the end; zeros come in.
template <bool kFromEnd, int kStep>
struct LaneShift {
  decltype(hn::SetTableIndices(Doubles(), static_cast<const std::int64_t*>(nullptr))) indices;
  hn::Mask<Doubles> filled;

  HWY_INLINE LaneShift() {
    std::int64_t from[kWidth];
    for (int i = 0; i < kWidth; ++i) from[i] = std::clamp(kFromEnd ? i + kStep : i - kStep, 0, kWidth - 1);
    indices = hn::SetTableIndices(Doubles(), from);
    filled =
        kFromEnd ? hn::FirstN(Doubles(), kWidth > kStep ? kWidth - kStep : 0) : hn::Not(hn::FirstN(Doubles(), kStep));
  }
  HWY_INLINE DoubleVec operator()(DoubleVec x) const {
    return hn::IfThenElseZero(filled, hn::TableLookupLanes(x, indices));
  }
};

template <bool kFromEnd, bool kExclusive>
void running_sum(const float* in, float* out, std::int64_t n) {
  const Doubles d;
  const Floats f;
  const LaneShift<kFromEnd, 1> by_one;
  const LaneShift<kFromEnd, 2> by_two;
  const LaneShift<kFromEnd, 4> by_four;
  std::int64_t last[kWidth];
  std::fill(last, last + kWidth, kFromEnd ? 0 : kWidth - 1);
  const auto all_last = hn::SetTableIndices(d, last);
  DoubleVec before = hn::Zero(d);
  const auto step = [&](const float* from, float* to) HWY_ATTR {
    DoubleVec sums = hn::PromoteTo(d, hn::LoadU(f, from));
    if constexpr (kWidth > 1) sums = hn::Add(sums, by_one(sums));
    if constexpr (kWidth > 2) sums = hn::Add(sums, by_two(sums));
    if constexpr (kWidth > 4) sums = hn::Add(sums, by_four(sums));
    store_rounded(hn::Add(before, kExclusive ? by_one(sums) : sums), to);
    before = hn::Add(before, hn::TableLookupLanes(sums, all_last));
  };
  const std::int64_t whole = n / kWidth * kWidth, rest = n - whole;
  for (std::int64_t i = 0; i < whole; i += kWidth) {
    const std::int64_t at = kFromEnd ? n - kWidth - i : i;
    step(in + at, out + at);
  }
  if (rest == 0) return;
  // The end stands where the vector begins, or the beginning where it ends.
  float padded[kWidth] = {};
  float* part = kFromEnd ? padded + (kWidth - rest) : padded;
  const std::int64_t at = kFromEnd ? 0 : whole;
  std::copy(in + at, in + at + rest, part);
  step(padded, padded);
  std::copy(part, part + rest, out + at);
}

template <bool kExclusive>
void columns(const float* in, float* out, std::int64_t rows, std::int64_t stride, std::int64_t cols) {
  const Doubles d;
  const Floats f;
  // Memory is read in long runs, and the sums of a strip stay in the first-level cache.
  constexpr std::int64_t kStrip = 1024;
  for (std::int64_t begin = 0; begin < cols; begin += kStrip) {
    const std::int64_t n = std::min(kStrip, cols - begin);
    double sums[kStrip];
    std::fill(sums, sums + n, 0.0);
    for (std::int64_t row = 0; row < rows; ++row) {
      const float* from = in + row * stride + begin;
      float* to = out + row * stride + begin;
      std::int64_t i = 0;
      for (; i + kWidth <= n; i += kWidth) {
        const DoubleVec old = hn::LoadU(d, sums + i);
        const DoubleVec sum = hn::Add(old, hn::PromoteTo(d, hn::LoadU(f, from + i)));
        hn::StoreU(sum, d, sums + i);
        store_rounded(kExclusive ? old : sum, to + i);
      }
      for (; i < n; ++i) {
        const double old = sums[i];
        sums[i] = old + static_cast<double>(from[i]);
        to[i] = static_cast<float>(kExclusive ? old : sums[i]);
      }
    }
  }
}

}  // namespace

void do_running_sum(const float* in, float* out, std::int64_t n, RunningSum kind) {
  kind == RunningSum::exclusive ? running_sum<false, true>(in, out, n) : running_sum<false, false>(in, out, n);
}
void do_running_sum_from_end(const float* in, float* out, std::int64_t n, RunningSum kind) {
  kind == RunningSum::exclusive ? running_sum<true, true>(in, out, n) : running_sum<true, false>(in, out, n);
}
void do_running_sum_columns(const float* in, float* out, std::int64_t rows, std::int64_t stride, std::int64_t cols,
                            RunningSum kind) {
  const auto function = kind == RunningSum::exclusive ? columns<true> : columns<false>;
  function(in, out, rows, stride, cols);
}

}  // namespace eddy::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace eddy {

HWY_EXPORT(do_running_sum);
void vector_running_sum(const float* in, float* out, std::int64_t n, RunningSum kind) {
  HWY_DYNAMIC_DISPATCH(do_running_sum)(in, out, n, kind);
}

HWY_EXPORT(do_running_sum_from_end);
void vector_running_sum_from_end(const float* in, float* out, std::int64_t n, RunningSum kind) {
  HWY_DYNAMIC_DISPATCH(do_running_sum_from_end)(in, out, n, kind);
}

HWY_EXPORT(do_running_sum_columns);
void running_sum_columns(const float* in, float* out, std::int64_t rows, std::int64_t stride, std::int64_t cols,
                         RunningSum kind) {
  HWY_DYNAMIC_DISPATCH(do_running_sum_columns)(in, out, rows, stride, cols, kind);
}

}  // namespace eddy
#endif
