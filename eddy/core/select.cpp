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

// Orders of numbers: whether one is better than another, and of vectors the lanes where it is or is not. All are false
// for NaN.
struct Larger {
  template <class T>
  static bool beats(T a, T b) {
    return a > b;
  }
  template <class V>
  static HWY_INLINE auto where(V a, V b) {
    return hn::Gt(a, b);
  }
  template <class V>
  static HWY_INLINE auto where_not(V a, V b) {
    return hn::Le(a, b);
  }
  template <class V>
  static HWY_INLINE V best(V a, V b) {
    return hn::Max(a, b);
  }
  static constexpr std::int32_t kWorst = std::numeric_limits<std::int32_t>::min();
};
struct Smaller {
  template <class T>
  static bool beats(T a, T b) {
    return a < b;
  }
  template <class V>
  static HWY_INLINE auto where(V a, V b) {
    return hn::Gt(b, a);
  }
  template <class V>
  static HWY_INLINE auto where_not(V a, V b) {
    return hn::Ge(a, b);
  }
  template <class V>
  static HWY_INLINE V best(V a, V b) {
    return hn::Min(a, b);
  }
  static constexpr std::int32_t kWorst = std::numeric_limits<std::int32_t>::max();
};

/// Whether a number is not yet what is looked for: worse than the bound, or at it too. False for NaN.
template <class Order, bool kAtBound, class V>
HWY_INLINE auto passed_over(V x, V bound) {
  if constexpr (!kAtBound)
    return Order::where(bound, x);
  else if constexpr (std::is_floating_point_v<hn::TFromV<V>>)
    return Order::where_not(x, bound);
  else
    return hn::Not(Order::where(x, bound));
}

template <class Order, bool kAtBound, class T>
std::int64_t first_beyond(const T* in, T bound, std::int64_t n) {
  const hn::ScalableTag<T> d;
  const auto limit = hn::Set(d, bound);
  std::int64_t i = 0;
  // Blocks first, so that most vectors cost little more than their load.
  for (; i + 4 * kWidth <= n; i += 4 * kWidth) {
    auto worse = passed_over<Order, kAtBound>(hn::LoadU(d, in + i), limit);
    for (std::int64_t v = 1; v < 4; ++v)
      worse = hn::And(worse, passed_over<Order, kAtBound>(hn::LoadU(d, in + i + v * kWidth), limit));
    if (!hn::AllTrue(d, worse)) break;
  }
  for (; i < n; ++i)
    if (!(Order::beats(bound, in[i]) || (kAtBound && in[i] == bound))) return i;
  return n;
}

template <class Order, class T>
void keep_better(const T* in, std::int32_t index, T* best, std::int32_t* indices, std::int64_t n) {
  const hn::ScalableTag<T> d;
  const Ints ints;
  std::int64_t i = 0;
  for (; i + kWidth <= n; i += kWidth) {
    const auto x = hn::LoadU(d, in + i), old = hn::LoadU(d, best + i);
    auto better = Order::where(x, old);
    if constexpr (std::is_floating_point_v<T>) better = hn::Or(better, hn::AndNot(hn::IsNaN(old), hn::IsNaN(x)));
    hn::StoreU(hn::IfThenElse(better, x, old), d, best + i);
    hn::StoreU(hn::IfThenElse(hn::RebindMask(ints, better), hn::Set(ints, index), hn::LoadU(ints, indices + i)), ints,
               indices + i);
  }
  for (; i < n; ++i) {
    if (!Order::beats(in[i], best[i]) && (in[i] == in[i] || best[i] != best[i])) continue;
    best[i] = in[i];
    indices[i] = index;
  }
}

template <class Order>
std::int32_t best_int(const std::int32_t* in, std::int64_t n) {
  const Ints d;
  auto best = hn::Set(d, Order::kWorst), other = best;
  std::int64_t i = 0;
  for (; i + 2 * kWidth <= n; i += 2 * kWidth) {
    best = Order::best(best, hn::LoadU(d, in + i));
    other = Order::best(other, hn::LoadU(d, in + i + kWidth));
  }
  std::int32_t lanes[kWidth];
  hn::StoreU(Order::best(best, other), d, lanes);
  std::int32_t result = Order::kWorst;
  for (const std::int32_t lane : lanes) result = Order::beats(lane, result) ? lane : result;
  for (; i < n; ++i) result = Order::beats(in[i], result) ? in[i] : result;
  return result;
}

}  // namespace

void do_select(const bool* condition, const float* a, std::int64_t step_a, const float* b, std::int64_t step_b,
               float* out, std::int64_t n) {
  const auto function =
      step_a != 0 ? (step_b != 0 ? select<1, 1> : select<1, 0>) : (step_b != 0 ? select<0, 1> : select<0, 0>);
  function(reinterpret_cast<const std::uint8_t*>(condition), reinterpret_cast<const std::uint32_t*>(a),
           reinterpret_cast<const std::uint32_t*>(b), reinterpret_cast<std::uint32_t*>(out), n);
}

// One function per kernel and type: those that are looked up by target have no overloads.
#define EDDY_FIRST(NAME, ORDER, AT_BOUND)                                               \
  std::int64_t NAME(const float* in, float bound, std::int64_t n) {                     \
    return first_beyond<ORDER, AT_BOUND>(in, bound, n);                                 \
  }                                                                                     \
  std::int64_t NAME##_int(const std::int32_t* in, std::int32_t bound, std::int64_t n) { \
    return first_beyond<ORDER, AT_BOUND>(in, bound, n);                                 \
  }
#define EDDY_KEEP(NAME, ORDER)                                                                           \
  void NAME(const float* in, std::int32_t index, float* best, std::int32_t* indices, std::int64_t n) {   \
    keep_better<ORDER>(in, index, best, indices, n);                                                     \
  }                                                                                                      \
  void NAME##_int(const std::int32_t* in, std::int32_t index, std::int32_t* best, std::int32_t* indices, \
                  std::int64_t n) {                                                                      \
    keep_better<ORDER>(in, index, best, indices, n);                                                     \
  }

EDDY_FIRST(do_first_above, Larger, true)
EDDY_FIRST(do_first_at_least, Larger, false)
EDDY_FIRST(do_first_at_most, Smaller, false)
EDDY_KEEP(do_keep_larger, Larger)
EDDY_KEEP(do_keep_smaller, Smaller)

std::int32_t do_max_int(const std::int32_t* in, std::int64_t n) { return best_int<Larger>(in, n); }
std::int32_t do_min_int(const std::int32_t* in, std::int64_t n) { return best_int<Smaller>(in, n); }

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

#define EDDY_DISPATCH_FIRST(NAME)                                                          \
  HWY_EXPORT(do_##NAME);                                                                   \
  std::int64_t vector_##NAME(const float* in, float bound, std::int64_t n) {               \
    return HWY_DYNAMIC_DISPATCH(do_##NAME)(in, bound, n);                                  \
  }                                                                                        \
  HWY_EXPORT(do_##NAME##_int);                                                             \
  std::int64_t vector_##NAME(const std::int32_t* in, std::int32_t bound, std::int64_t n) { \
    return HWY_DYNAMIC_DISPATCH(do_##NAME##_int)(in, bound, n);                            \
  }
#define EDDY_DISPATCH_KEEP(NAME)                                                                                \
  HWY_EXPORT(do_##NAME);                                                                                        \
  void vector_##NAME(const float* in, std::int32_t index, float* best, std::int32_t* indices, std::int64_t n) { \
    HWY_DYNAMIC_DISPATCH(do_##NAME)(in, index, best, indices, n);                                               \
  }                                                                                                             \
  HWY_EXPORT(do_##NAME##_int);                                                                                  \
  void vector_##NAME(const std::int32_t* in, std::int32_t index, std::int32_t* best, std::int32_t* indices,     \
                     std::int64_t n) {                                                                          \
    HWY_DYNAMIC_DISPATCH(do_##NAME##_int)(in, index, best, indices, n);                                         \
  }

EDDY_DISPATCH_FIRST(first_above)
EDDY_DISPATCH_FIRST(first_at_least)
EDDY_DISPATCH_FIRST(first_at_most)
EDDY_DISPATCH_KEEP(keep_larger)
EDDY_DISPATCH_KEEP(keep_smaller)

HWY_EXPORT(do_max_int);
std::int32_t vector_max_value(const std::int32_t* in, std::int64_t n) {
  return HWY_DYNAMIC_DISPATCH(do_max_int)(in, n);
}

HWY_EXPORT(do_min_int);
std::int32_t vector_min_value(const std::int32_t* in, std::int64_t n) {
  return HWY_DYNAMIC_DISPATCH(do_min_int)(in, n);
}

namespace {

/// Above infinity there are NaN alone.
std::int64_t first_nan(const float* in, std::int64_t n) {
  return vector_first_above(in, std::numeric_limits<float>::infinity(), n);
}

}  // namespace

std::int64_t vector_first_largest(const float* in, std::int64_t n) {
  const float best = vector_max_value(in, n);
  return std::isnan(best) ? first_nan(in, n) : vector_first_at_least(in, best, n);
}

std::int64_t vector_first_largest(const std::int32_t* in, std::int64_t n) {
  return vector_first_at_least(in, vector_max_value(in, n), n);
}

std::int64_t vector_first_smallest(const float* in, std::int64_t n) {
  const float best = vector_min_value(in, n);
  return std::isnan(best) ? first_nan(in, n) : vector_first_at_most(in, best, n);
}

std::int64_t vector_first_smallest(const std::int32_t* in, std::int64_t n) {
  return vector_first_at_most(in, vector_min_value(in, n), n);
}

}  // namespace eddy
#endif
