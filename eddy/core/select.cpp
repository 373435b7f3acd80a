// SPDX-License-Identifier: Apache-2.0
#include "eddy/core/select.h"

#include "eddy/core/simd_targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "eddy/core/select.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <limits>
#include <type_traits>

HWY_BEFORE_NAMESPACE();
namespace eddy::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using Words = hn::ScalableTag<std::uint32_t>;
using Ints = hn::ScalableTag<std::int32_t>;
constexpr std::int64_t kWidth = HWY_LANES(std::uint32_t);

template <int kStepA, int kStepB>
void select(const std::uint8_t* condition, const std::uint32_t* a, const std::uint32_t* b, std::uint32_t* out,
            std::int64_t n) {
  const Words d;
  const hn::Rebind<std::uint8_t, Words> bytes;
  std::int64_t i = 0;
  for (; i + kWidth <= n; i += kWidth) {
    const auto chosen = hn::Ne(hn::PromoteTo(d, hn::LoadU(bytes, condition + i)), hn::Zero(d));
    const auto left = kStepA == 1 ? hn::LoadU(d, a + i) : hn::Set(d, *a);
    const auto right = kStepB == 1 ? hn::LoadU(d, b + i) : hn::Set(d, *b);
    hn::StoreU(hn::IfThenElse(chosen, left, right), d, out + i);
  }
  for (; i < n; ++i) out[i] = condition[i] != 0 ? a[i * kStepA] : b[i * kStepB];
}

/// Whether a number is not yet what is looked for: below the bound, or at it too. False for NaN.
template <bool kAtBound, class V>
HWY_INLINE auto passed_over(V x, V bound) {
  if constexpr (kAtBound && std::is_floating_point_v<hn::TFromV<V>>)
    return hn::Le(x, bound);
  else if constexpr (kAtBound)
    return hn::Not(hn::Gt(x, bound));
  else
    return hn::Lt(x, bound);
}

template <bool kAtBound, class T>
std::int64_t first_beyond(const T* in, T bound, std::int64_t n) {
  const hn::ScalableTag<T> d;
  const auto limit = hn::Set(d, bound);
  std::int64_t i = 0;
  // Blocks first, so that most vectors cost little more than their load.
  for (; i + 4 * kWidth <= n; i += 4 * kWidth) {
    auto below = passed_over<kAtBound>(hn::LoadU(d, in + i), limit);
    for (std::int64_t v = 1; v < 4; ++v)
      below = hn::And(below, passed_over<kAtBound>(hn::LoadU(d, in + i + v * kWidth), limit));
    if (!hn::AllTrue(d, below)) break;
  }
  for (; i < n; ++i)
    if (!(in[i] < bound || (kAtBound && in[i] == bound))) return i;
  return n;
}

template <class T>
void keep_larger(const T* in, std::int32_t index, T* best, std::int32_t* indices, std::int64_t n) {
  const hn::ScalableTag<T> d;
  const Ints ints;
  std::int64_t i = 0;
  for (; i + kWidth <= n; i += kWidth) {
    const auto x = hn::LoadU(d, in + i), old = hn::LoadU(d, best + i);
    auto better = hn::Gt(x, old);
    if constexpr (std::is_floating_point_v<T>) better = hn::Or(better, hn::AndNot(hn::IsNaN(old), hn::IsNaN(x)));
    hn::StoreU(hn::IfThenElse(better, x, old), d, best + i);
    hn::StoreU(hn::IfThenElse(hn::RebindMask(ints, better), hn::Set(ints, index), hn::LoadU(ints, indices + i)), ints,
               indices + i);
  }
  for (; i < n; ++i) {
    if (!(in[i] > best[i]) && (in[i] == in[i] || best[i] != best[i])) continue;
    best[i] = in[i];
    indices[i] = index;
  }
}

}  // namespace

void do_select(const bool* condition, const float* a, std::int64_t step_a, const float* b, std::int64_t step_b,
               float* out, std::int64_t n) {
  const auto function =
      step_a != 0 ? (step_b != 0 ? select<1, 1> : select<1, 0>) : (step_b != 0 ? select<0, 1> : select<0, 0>);
  function(reinterpret_cast<const std::uint8_t*>(condition), reinterpret_cast<const std::uint32_t*>(a),
           reinterpret_cast<const std::uint32_t*>(b), reinterpret_cast<std::uint32_t*>(out), n);
}

std::int64_t do_first_above(const float* in, float bound, std::int64_t n) { return first_beyond<true>(in, bound, n); }
std::int64_t do_first_above_int(const std::int32_t* in, std::int32_t bound, std::int64_t n) {
  return first_beyond<true>(in, bound, n);
}
std::int64_t do_first_at_least(const float* in, float bound, std::int64_t n) {
  return first_beyond<false>(in, bound, n);
}
std::int64_t do_first_at_least_int(const std::int32_t* in, std::int32_t bound, std::int64_t n) {
  return first_beyond<false>(in, bound, n);
}

void do_keep_larger(const float* in, std::int32_t index, float* best, std::int32_t* indices, std::int64_t n) {
  keep_larger(in, index, best, indices, n);
}
void do_keep_larger_int(const std::int32_t* in, std::int32_t index, std::int32_t* best, std::int32_t* indices,
                        std::int64_t n) {
  keep_larger(in, index, best, indices, n);
}

std::int32_t do_max_int(const std::int32_t* in, std::int64_t n) {
  const Ints d;
  auto best = hn::Set(d, std::numeric_limits<std::int32_t>::min()), other = best;
  std::int64_t i = 0;
  for (; i + 2 * kWidth <= n; i += 2 * kWidth) {
    best = hn::Max(best, hn::LoadU(d, in + i));
    other = hn::Max(other, hn::LoadU(d, in + i + kWidth));
  }
  std::int32_t largest = hn::GetLane(hn::MaxOfLanes(d, hn::Max(best, other)));
  for (; i < n; ++i) largest = std::max(largest, in[i]);
  return largest;
}

}  // namespace eddy::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <cmath>

#include "eddy/core/math.h"

namespace eddy {

HWY_EXPORT(do_select);
void vector_select(const bool* condition, const float* a, std::int64_t step_a, const float* b, std::int64_t step_b,
                   float* out, std::int64_t n) {
  HWY_DYNAMIC_DISPATCH(do_select)(condition, a, step_a, b, step_b, out, n);
}

HWY_EXPORT(do_first_above);
std::int64_t vector_first_above(const float* in, float bound, std::int64_t n) {
  return HWY_DYNAMIC_DISPATCH(do_first_above)(in, bound, n);
}

HWY_EXPORT(do_first_above_int);
std::int64_t vector_first_above(const std::int32_t* in, std::int32_t bound, std::int64_t n) {
  return HWY_DYNAMIC_DISPATCH(do_first_above_int)(in, bound, n);
}

HWY_EXPORT(do_first_at_least);
std::int64_t vector_first_at_least(const float* in, float bound, std::int64_t n) {
  return HWY_DYNAMIC_DISPATCH(do_first_at_least)(in, bound, n);
}

HWY_EXPORT(do_first_at_least_int);
std::int64_t vector_first_at_least(const std::int32_t* in, std::int32_t bound, std::int64_t n) {
  return HWY_DYNAMIC_DISPATCH(do_first_at_least_int)(in, bound, n);
}

HWY_EXPORT(do_max_int);
std::int32_t vector_max_value(const std::int32_t* in, std::int64_t n) {
  return HWY_DYNAMIC_DISPATCH(do_max_int)(in, n);
}

HWY_EXPORT(do_keep_larger);
void vector_keep_larger(const float* in, std::int32_t index, float* best, std::int32_t* indices, std::int64_t n) {
  HWY_DYNAMIC_DISPATCH(do_keep_larger)(in, index, best, indices, n);
}

HWY_EXPORT(do_keep_larger_int);
void vector_keep_larger(const std::int32_t* in, std::int32_t index, std::int32_t* best, std::int32_t* indices,
                        std::int64_t n) {
  HWY_DYNAMIC_DISPATCH(do_keep_larger_int)(in, index, best, indices, n);
}

std::int64_t vector_first_largest(const float* in, std::int64_t n) {
  const float best = vector_max_value(in, n);
  // Above infinity there are NaN alone.
  return std::isnan(best) ? vector_first_above(in, std::numeric_limits<float>::infinity(), n)
                          : vector_first_at_least(in, best, n);
}

std::int64_t vector_first_largest(const std::int32_t* in, std::int64_t n) {
  return vector_first_at_least(in, vector_max_value(in, n), n);
}

}  // namespace eddy
#endif
