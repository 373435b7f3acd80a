// SPDX-License-Identifier: Apache-2.0
#include "eddy/core/power.h"

#include "eddy/core/simd_targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "eddy/core/power.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "eddy/core/vector_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace eddy::HWY_NAMESPACE {
namespace {

using Words = hn::RebindToUnsigned<Floats>;
constexpr std::int64_t kWidth = HWY_LANES(float);
/// Whether MulAdd rounds once, which the formulas below build on.
constexpr bool kFused = HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3;

/// Reciprocals of 32 numbers from 0.695 to 1.39, one for each 2^18 floats from kFirst on. Times a float of its interval
/// each is 1 + r exactly, as it has six digits, with |r| <= 0.0235; the interval around 1 has 1 itself.
constexpr std::int32_t kFirst = 0x3F320000;
constexpr std::array<float, 32> kInverses = {
    92 / 64.F, 90 / 64.F, 88 / 64.F, 86 / 64.F, 84 / 64.F, 82 / 64.F, 80 / 64.F, 78 / 64.F,
    78 / 64.F, 76 / 64.F, 74 / 64.F, 74 / 64.F, 72 / 64.F, 70 / 64.F, 70 / 64.F, 68 / 64.F,
    68 / 64.F, 66 / 64.F, 64 / 64.F, 64 / 64.F, 62 / 64.F, 60 / 64.F, 59 / 64.F, 57 / 64.F,
    55 / 64.F, 54 / 64.F, 53 / 64.F, 51 / 64.F, 50 / 64.F, 49 / 64.F, 48 / 64.F, 47 / 64.F};

/// Their logarithms to base 2, negated, as sums of two floats; the first still fits a float when an exponent is added.
struct Logarithms {
  std::array<float, 32> high, low;
  Logarithms() {
    for (std::size_t i = 0; i < high.size(); ++i) {
      const double exact = -std::log2(static_cast<double>(kInverses[i]));
      high[i] = static_cast<float>(std::round(exact * 0x1p15) * 0x1p-15);
      low[i] = static_cast<float>(exact - static_cast<double>(high[i]));
    }
  }
};

HWY_INLINE FloatVec look_up(const std::array<float, 32>& table, IntVec index) {
#if HWY_TARGET == HWY_AVX3
  return FloatVec{_mm512_permutex2var_ps(_mm512_loadu_ps(table.data()), index.raw, _mm512_loadu_ps(table.data() + 16))};
#else
  return hn::GatherIndex(Floats(), table.data(), index);
#endif
}

/// high + low: an exponent has up to eight digits before the point, which a float's 24 would be short of.
struct Exponent {
  FloatVec high, low;
};

/// log2 of positive normal numbers, with an absolute error below 2^-33.
HWY_INLINE Exponent log2_of(FloatVec x, const Logarithms& logarithms) {
  const IntVec bits = hn::Sub(hn::BitCast(Ints(), x), hn::Set(Ints(), kFirst));
  const IntVec exponent = hn::ShiftRight<23>(bits);
  const IntVec index = hn::And(hn::ShiftRight<18>(bits), hn::Set(Ints(), 31));
  const FloatVec fraction = hn::BitCast(Floats(), hn::Sub(hn::BitCast(Ints(), x), hn::ShiftLeft<23>(exponent)));
  const FloatVec r = hn::MulSub(fraction, look_up(kInverses, index), splat(1));
  const FloatVec whole = hn::Add(hn::ConvertTo(Floats(), exponent), look_up(logarithms.high, index));
  // r - r^2 / 2, and its product with 1 / ln2, each with what rounding takes away.
  const FloatVec square = hn::Mul(r, r);
  const FloatVec start = hn::NegMulAdd(square, splat(0.5F), r);
  FloatVec start_low = hn::NegMulAdd(square, splat(0.5F), hn::Sub(r, start));
  start_low = hn::NegMulAdd(hn::MulSub(r, r, square), splat(0.5F), start_low);
  const FloatVec first = hn::Mul(start, splat(1.442695022F));
  FloatVec low = hn::MulAdd(start, splat(1.925962989e-08F), hn::MulSub(start, splat(1.442695022F), first));
  low = hn::MulAdd(start_low, splat(1.442695022F), low);
  // The rest of the series in r^3 on |r| <= 0.0235: 8.0e-7
  FloatVec series = hn::MulAdd(r, splat(2.886243994e-01F), splat(-3.607733822e-01F));
  series = hn::MulAdd(series, r, splat(4.808983470e-01F));
  low = hn::MulAdd(hn::Mul(square, r), series, hn::Add(low, look_up(logarithms.low, index)));
  const FloatVec high = hn::Add(whole, first);
  return {high, hn::Add(low, hn::Sub(first, hn::Sub(high, whole)))};
}

/// 2 to the power of y * log: 0 and infinity where that passes the range of a float.
HWY_INLINE FloatVec exp2_of(FloatVec y, Exponent log) {
  const FloatVec product = hn::Mul(y, log.high);
  const auto is_far = hn::Gt(hn::Abs(product), splat(200));
  const FloatVec low = hn::IfThenZeroElse(is_far, hn::MulAdd(y, log.low, hn::MulSub(y, log.high, product)));
  const FloatVec high = hn::Min(hn::Max(product, splat(-200)), splat(200));
  const Whole n{hn::Add(high, splat(Whole::kBias))};
  const FloatVec f = hn::Add(hn::Sub(high, n.value()), low);
  // (2^f - 1) / f on |f| <= 0.5: 7.8e-9
  FloatVec series = hn::MulAdd(f, splat(1.545316295e-04F), splat(1.339086336e-03F));
  series = hn::MulAdd(series, f, splat(9.618082557e-03F));
  series = hn::MulAdd(series, f, splat(5.550357114e-02F));
  series = hn::MulAdd(series, f, splat(2.402265076e-01F));
  series = hn::MulAdd(series, f, splat(6.931471880e-01F));
  return scaled(hn::MulAdd(series, f, splat(1)), n);
}

HWY_INLINE void power(const float* base, const float* exponent, float* out, const Logarithms& logarithms) {
  const Floats d;
  const Words w;
  const FloatVec x = hn::LoadU(d, base);
  const FloatVec y = hn::LoadU(d, exponent);
  const FloatVec result = exp2_of(y, log2_of(x, logarithms));
  // The formula holds for positive normal bases and finite exponents.
  constexpr std::uint32_t kSmallest = 0x00800000, kLargest = 0x7F7FFFFF;
  const auto strange_base = hn::Gt(hn::Sub(hn::BitCast(w, x), hn::Set(w, kSmallest)), hn::Set(w, kLargest - kSmallest));
  const auto strange_exponent = hn::Gt(hn::BitCast(w, hn::Abs(y)), hn::Set(w, kLargest));
  if (HWY_LIKELY(hn::AllFalse(w, hn::Or(strange_base, strange_exponent)))) {
    hn::StoreU(result, d, out);
    return;
  }
  // Zeros are common, as relu makes them.
  const FloatVec of_zero =
      hn::IfThenElse(hn::Gt(y, hn::Zero(d)), hn::Zero(d),
                     hn::IfThenElse(hn::Lt(y, hn::Zero(d)), splat(std::numeric_limits<float>::infinity()), splat(1)));
  const auto is_zero = hn::Eq(hn::BitCast(w, x), hn::Zero(w));
  float left[kWidth], right[kWidth], results[kWidth];
  std::uint32_t by_libm[kWidth];
  hn::StoreU(x, d, left);
  hn::StoreU(y, d, right);
  hn::StoreU(hn::IfThenElse(hn::RebindMask(d, is_zero), of_zero, result), d, results);
  hn::StoreU(hn::VecFromMask(w, hn::Or(hn::AndNot(is_zero, strange_base), strange_exponent)), w, by_libm);
  for (std::int64_t i = 0; i < kWidth; ++i) out[i] = by_libm[i] == 0 ? results[i] : std::pow(left[i], right[i]);
}

HWY_INLINE void half_power(const float* base, bool inverse, float* out) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const Floats d;
  const FloatVec x = hn::LoadU(d, base);
  // The sum makes -0 a +0.
  const FloatVec y = hn::Sqrt(hn::IfThenElse(hn::Eq(x, splat(-kInfinity)), splat(kInfinity), hn::Add(x, splat(0))));
  hn::StoreU(inverse ? hn::Div(splat(1), y) : y, d, out);
}

}  // namespace

void do_pow(const float* base, std::int64_t base_step, const float* exponent, std::int64_t exponent_step, float* out,
            std::int64_t n) {
  if constexpr (!kFused) {
    for (std::int64_t i = 0; i < n; ++i) out[i] = std::pow(base[i * base_step], exponent[i * exponent_step]);
    return;
  }
  static const Logarithms logarithms;
  float left[kWidth], right[kWidth];
  std::fill(left, left + kWidth, base_step == 0 && n > 0 ? *base : 1.0F);
  std::fill(right, right + kWidth, exponent_step == 0 && n > 0 ? *exponent : 1.0F);
  std::int64_t i = 0;
  for (; i + kWidth <= n; i += kWidth)
    power(base_step == 0 ? left : base + i, exponent_step == 0 ? right : exponent + i, out + i, logarithms);
  if (i == n) return;
  if (base_step != 0) std::copy(base + i, base + n, left);
  if (exponent_step != 0) std::copy(exponent + i, exponent + n, right);
  power(left, right, left, logarithms);
  std::copy(left, left + (n - i), out + i);
}

void do_pow_half(const float* base, bool inverse, float* out, std::int64_t n) {
  std::int64_t i = 0;
  for (; i + kWidth <= n; i += kWidth) half_power(base + i, inverse, out + i);
  if (i == n) return;
  float rest[kWidth] = {};
  std::copy(base + i, base + n, rest);
  half_power(rest, inverse, rest);
  std::copy(rest, rest + (n - i), out + i);
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

HWY_EXPORT(do_pow_half);
void vector_pow_half(const float* base, bool inverse, float* out, std::int64_t n) {
  HWY_DYNAMIC_DISPATCH(do_pow_half)(base, inverse, out, n);
}

}  // namespace eddy
#endif
