// SPDX-License-Identifier: Apache-2.0
#include "eddy/core/gather.h"

#include "eddy/core/simd_targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "eddy/core/gather.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace eddy::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using Ints = hn::ScalableTag<std::int32_t>;
constexpr std::int64_t kWidth = HWY_LANES(std::uint32_t);

}  // namespace

bool do_gather(const std::uint32_t* table, const std::int32_t* index, std::int32_t size, std::int32_t stride,
               std::int32_t advance, std::uint32_t* out, std::int64_t n) {
  const Ints ints;
  std::int64_t i = 0;
  bool within = true;
  if (size > 0) {  // else there is no element that lanes without one could read
    const auto stride_lanes = hn::Set(ints, stride), size_lanes = hn::Set(ints, size), zero = hn::Zero(ints);
    const auto column = hn::Mul(hn::Iota(ints, 0), hn::Set(ints, advance));
    auto largest = hn::Set(ints, -1);
    HWY_ALIGN std::int32_t positions[kWidth];
    for (; i + kWidth <= n; i += kWidth) {
      const auto row = hn::LoadU(ints, index + i);
      largest = hn::Max(largest, row);
      const auto named = hn::AndNot(hn::Lt(row, zero), hn::Lt(row, size_lanes));
      const auto position = hn::IfThenElseZero(named, hn::Add(hn::Mul(row, stride_lanes), column));
      hn::Store(position, ints, positions);
      for (std::int64_t lane = 0; lane < kWidth; ++lane) out[i + lane] = table[i * advance + positions[lane]];
      if (!hn::AllTrue(ints, named))
        for (std::int64_t lane = 0; lane < kWidth; ++lane)
          if (index[i + lane] < 0 || index[i + lane] >= size) out[i + lane] = 0;
    }
    within = hn::AllTrue(ints, hn::Lt(largest, size_lanes));
  }
  for (; i < n; ++i) {
    const bool below = index[i] < size;
    out[i] = below && index[i] >= 0 ? table[std::int64_t{index[i]} * stride + i * advance] : 0;
    within = within && below;
  }
  return within;
}

}  // namespace eddy::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace eddy {

HWY_EXPORT(do_gather);
bool vector_gather(const void* table, const std::int32_t* index, std::int32_t size, std::int32_t stride,
                   std::int32_t advance, void* out, std::int64_t n) {
  return HWY_DYNAMIC_DISPATCH(do_gather)(static_cast<const std::uint32_t*>(table), index, size, stride, advance,
                                         static_cast<std::uint32_t*>(out), n);
}

}  // namespace eddy
#endif
