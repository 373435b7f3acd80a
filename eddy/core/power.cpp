// SPDX-License-Identifier: Apache-2.0
#include "eddy/core/power.h"

#include "eddy/core/simd_targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "eddy/core/power.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cmath>

HWY_BEFORE_NAMESPACE();
namespace eddy::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
// Doubles, as the error of a logarithm grows with the exponent: up to 128 times.
using Doubles = hn::ScalableTag<double>;
using Words = hn::ScalableTag<std::uint64_t>;
using Floats = hn::Rebind<float, Doubles>;
using DoubleVec = hn::Vec<Doubles>;
constexpr std::int64_t kWidth = HWY_LANES(double);

HWY_INLINE DoubleVec splat(double x) { return hn::Set(Doubles(), x); }

/// 1.5 * 2^52: added to a small number, its whole part stands in the lowest bits.
constexpr double kRound = 6755399441055744.0;

/// Of positive normal numbers to 5e-12 of the result; -1e300 of 0, so that any power of it but the zeroth is 0 or
/// infinite.
HWY_INLINE DoubleVec log2_of(DoubleVec x) {
  const Doubles d;
  const Words w;
  constexpr std::uint64_t kOne = 0x3FF0000000000000, kRootOfHalf = 0x3FE6A09E667F3BCD;
  const auto bits = hn::BitCast(w, x);
  // The exponent for which the fraction lies between the roots of 1/2 and 2.
  const auto exponent = hn::ShiftRight<52>(hn::Add(bits, hn::Set(w, kOne - kRootOfHalf)));
  const auto fraction =
      hn::BitCast(d, hn::Sub(bits, hn::ShiftLeft<52>(hn::Sub(exponent, hn::Set(w, std::uint64_t{1023})))));
  const auto whole = hn::Sub(hn::BitCast(d, hn::Add(exponent, hn::BitCast(w, splat(kRound)))), splat(kRound + 1023));
  const DoubleVec t = hn::Div(hn::Sub(fraction, splat(1)), hn::Add(fraction, splat(1)));
  const DoubleVec s = hn::Mul(t, t);
  DoubleVec series = splat(0.34072505757554955);
  series = hn::MulAdd(series, s, splat(0.41167300153401176));
  series = hn::MulAdd(series, s, splat(0.5770835800255393));
  series = hn::MulAdd(series, s, splat(0.9617966733696102));
  series = hn::MulAdd(series, s, splat(2.8853900817900597));
  return hn::IfThenElse(hn::Eq(x, hn::Zero(d)), splat(-1e300), hn::MulAdd(t, series, whole));
}

/// To 3e-9 of the result; beyond the range of a float anything beyond it.
HWY_INLINE DoubleVec exp2_of(DoubleVec x) {
  const Doubles d;
  const Words w;
  x = hn::Min(hn::Max(x, splat(-1000)), splat(1000));
  const DoubleVec rounded = hn::Add(x, splat(kRound));
  const DoubleVec f = hn::Sub(x, hn::Sub(rounded, splat(kRound)));
  DoubleVec series = splat(0.00015469731961874705);
  series = hn::MulAdd(series, f, splat(0.0013400432164606428));
  series = hn::MulAdd(series, f, splat(0.009618025603010243));
  series = hn::MulAdd(series, f, splat(0.05550327214211675));
  series = hn::MulAdd(series, f, splat(0.24022651213594756));
  series = hn::MulAdd(series, f, splat(0.6931472067106182));
  series = hn::MulAdd(series, f, splat(0.9999999999595487));
  return hn::BitCast(d, hn::Add(hn::BitCast(w, series), hn::ShiftLeft<52>(hn::BitCast(w, rounded))));
}

/// The lanes the formula does not hold for: a sign, an infinity or a NaN. Without vector instructions all, as demotions
/// end at the largest float there.
HWY_INLINE auto unusual(hn::Vec<Floats> base, hn::Vec<Floats> exponent) {
  const hn::RebindToUnsigned<Floats> bits;
#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3
  const auto largest = hn::Set(bits, 0x7F7FFFFFU);
  return hn::Or(hn::Gt(hn::BitCast(bits, base), largest), hn::Gt(hn::BitCast(bits, hn::Abs(exponent)), largest));
#else
  static_cast<void>(base);
  static_cast<void>(exponent);
  return hn::Eq(hn::Zero(bits), hn::Zero(bits));
#endif
}

HWY_INLINE void power(const float* base, const float* exponent, float* out) {
  const Floats d;
  const auto x = hn::LoadU(d, base);
  const auto y = hn::LoadU(d, exponent);
  const auto by_libm = unusual(x, y);
  const DoubleVec log = hn::Mul(hn::PromoteTo(Doubles(), y), log2_of(hn::PromoteTo(Doubles(), x)));
  const auto result = hn::DemoteTo(d, exp2_of(log));
  const hn::RebindToUnsigned<Floats> bits;
  if (HWY_LIKELY(hn::AllFalse(bits, by_libm))) {
    hn::StoreU(result, d, out);
    return;
  }
  float left[kWidth], right[kWidth], results[kWidth];
  std::uint32_t lanes[kWidth];
  hn::StoreU(x, d, left);
  hn::StoreU(y, d, right);
  hn::StoreU(result, d, results);
  hn::StoreU(hn::VecFromMask(bits, by_libm), bits, lanes);
  for (std::int64_t i = 0; i < kWidth; ++i) out[i] = lanes[i] == 0 ? results[i] : std::pow(left[i], right[i]);
}

}  // namespace

void do_pow(const float* base, std::int64_t base_step, const float* exponent, std::int64_t exponent_step, float* out,
            std::int64_t n) {
  float left[kWidth], right[kWidth];
  std::fill(left, left + kWidth, base_step == 0 && n > 0 ? *base : 1.0F);
  std::fill(right, right + kWidth, exponent_step == 0 && n > 0 ? *exponent : 1.0F);
  std::int64_t i = 0;
  for (; i + kWidth <= n; i += kWidth)
    power(base_step == 0 ? left : base + i, exponent_step == 0 ? right : exponent + i, out + i);
  if (i == n) return;
  if (base_step != 0) std::copy(base + i, base + n, left);
  if (exponent_step != 0) std::copy(exponent + i, exponent + n, right);
  power(left, right, left);
  std::copy(left, left + (n - i), out + i);
}

}  // namespace eddy::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace eddy {

HWY_EXPORT(do_pow);
void vector_pow(const float* base, std::int64_t base_step, const float* exponent, std::int64_t exponent_step,
                float* out, std::int64_t n) {
  HWY_DYNAMIC_DISPATCH(do_pow)(base, base_step, exponent, exponent_step, out, n);
}

}  // namespace eddy
#endif
