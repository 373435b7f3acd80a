// SPDX-License-Identifier: Apache-2.0
#include "eddy/core/select.h"

#include "eddy/core/simd_targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "eddy/core/select.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace eddy::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using Words = hn::ScalableTag<std::uint32_t>;
using Floats = hn::ScalableTag<float>;
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

}  // namespace

void do_select(const bool* condition, const float* a, std::int64_t step_a, const float* b, std::int64_t step_b,
               float* out, std::int64_t n) {
  const auto function =
      step_a != 0 ? (step_b != 0 ? select<1, 1> : select<1, 0>) : (step_b != 0 ? select<0, 1> : select<0, 0>);
  function(reinterpret_cast<const std::uint8_t*>(condition), reinterpret_cast<const std::uint32_t*>(a),
           reinterpret_cast<const std::uint32_t*>(b), reinterpret_cast<std::uint32_t*>(out), n);
}

std::int64_t do_first_above(const float* in, float bound, std::int64_t n) {
  const Floats d;
  const auto limit = hn::Set(d, bound);
  std::int64_t i = 0;
  // Blocks first, so that most vectors cost little more than their load.
  for (; i + 4 * kWidth <= n; i += 4 * kWidth) {
    auto below = hn::Le(hn::LoadU(d, in + i), limit);
    for (std::int64_t v = 1; v < 4; ++v) below = hn::And(below, hn::Le(hn::LoadU(d, in + i + v * kWidth), limit));
    if (!hn::AllTrue(d, below)) break;
  }
  for (; i < n; ++i)
    if (!(in[i] <= bound)) return i;
  return n;
}

void do_keep_larger(const float* in, std::int32_t index, float* best, std::int32_t* indices, std::int64_t n) {
  const Floats d;
  const Ints ints;
  std::int64_t i = 0;
  for (; i + kWidth <= n; i += kWidth) {
    const auto x = hn::LoadU(d, in + i), old = hn::LoadU(d, best + i);
    const auto better = hn::Or(hn::Gt(x, old), hn::AndNot(hn::IsNaN(old), hn::IsNaN(x)));
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

}  // namespace eddy::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
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

HWY_EXPORT(do_keep_larger);
void vector_keep_larger(const float* in, std::int32_t index, float* best, std::int32_t* indices, std::int64_t n) {
  HWY_DYNAMIC_DISPATCH(do_keep_larger)(in, index, best, indices, n);
}

}  // namespace eddy
#endif
