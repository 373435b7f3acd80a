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

}  // namespace eddy::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace eddy {

HWY_EXPORT(do_select);
void vector_select(const bool* condition, const float* a, std::int64_t step_a, const float* b, std::int64_t step_b,
                   float* out, std::int64_t n) {
  HWY_DYNAMIC_DISPATCH(do_select)(condition, a, step_a, b, step_b, out, n);
}

}  // namespace eddy
#endif
