// SPDX-License-Identifier: Apache-2.0
// Elementary functions on one vector, compiled once per Highway target. The polynomials are minimax fits (Remez) made
// for eddy; each line names the function fitted, the interval and the largest error of the fit.
#if defined(EDDY_CORE_VECTOR_MATH_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef EDDY_CORE_VECTOR_MATH_INL_H_
#undef EDDY_CORE_VECTOR_MATH_INL_H_
#else
#define EDDY_CORE_VECTOR_MATH_INL_H_
#endif

#include <hwy/highway.h>

#include <limits>

#include "eddy/core/far_angle.h"

HWY_BEFORE_NAMESPACE();
namespace eddy::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using Floats = hn::ScalableTag<float>;
using Ints = hn::RebindToSigned<Floats>;
using FloatVec = hn::Vec<Floats>;
using IntVec = hn::Vec<Ints>;

HWY_INLINE FloatVec splat(float value) { return hn::Set(Floats(), value); }

// Minimum and maximum that keep a NaN in `x`: the x86 instructions return their second operand; portable code promises
// nothing.
HWY_INLINE FloatVec min_keeping(FloatVec limit, FloatVec x) {
#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3
  return hn::Min(limit, x);
#else
  return hn::IfThenElse(hn::Gt(x, limit), limit, x);
#endif
}
HWY_INLINE FloatVec max_keeping(FloatVec limit, FloatVec x) {
#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3
  return hn::Max(limit, x);
#else
  return hn::IfThenElse(hn::Lt(x, limit), limit, x);
#endif
}
HWY_INLINE FloatVec at_most(float limit, FloatVec x) { return min_keeping(splat(limit), x); }
HWY_INLINE FloatVec at_least(float limit, FloatVec x) { return max_keeping(splat(limit), x); }

/// A whole number n as the float kBias + n, at whose lower end stand the bits of n + 127.
struct Whole {
  FloatVec biased;
  static constexpr float kBias = 12582912.0F + 127;  // 1.5 * 2^23: floats around it are whole

  HWY_INLINE FloatVec value() const { return hn::Sub(biased, splat(kBias)); }
  HWY_INLINE IntVec integer() const { return hn::Sub(hn::BitCast(Ints(), biased), hn::BitCast(Ints(), splat(kBias))); }
  /// The bits of 2^n for n in [-126, 127].
  HWY_INLINE IntVec power() const { return hn::ShiftLeft<23>(hn::BitCast(Ints(), biased)); }
};

/// Splits x = n*ln2 + r, |r| <= ln2/2, and returns exp(r) - 1.
HWY_INLINE FloatVec reduced_expm1(FloatVec x, Whole* n) {
  n->biased = hn::MulAdd(x, splat(1.44269504F), splat(Whole::kBias));
  const FloatVec whole = n->value();
  FloatVec r = hn::NegMulAdd(whole, splat(0.693145751953125F), x);
  r = hn::NegMulAdd(whole, splat(1.42860682030941723e-6F), r);
  // (exp(r) - 1 - r) / r^2 on |r| <= 0.3466: 6.2e-8
  FloatVec p = hn::MulAdd(r, splat(1.394112164e-03F), splat(8.363179812e-03F));
  p = hn::MulAdd(p, r, splat(4.166637516e-02F));
  p = hn::MulAdd(p, r, splat(1.666657698e-01F));
  p = hn::MulAdd(p, r, splat(5.000000027e-01F));
  return hn::MulAdd(hn::Mul(r, r), p, r);
}

/// p * 2^n for p around 1 and |n| <= 252, denormal and infinite results included.
HWY_INLINE FloatVec scaled(FloatVec p, Whole n) {
#if HWY_TARGET == HWY_AVX3
  return FloatVec{_mm512_scalef_ps(p.raw, n.value().raw)};
#else
  // Two factors, as 2^n alone may overflow or be denormal.
  const auto power_of_two = [](IntVec k) HWY_ATTR {
    return hn::BitCast(Floats(), hn::ShiftLeft<23>(hn::Add(k, hn::Set(Ints(), 127))));
  };
  const IntVec half = hn::ShiftRight<1>(n.integer());
  return hn::Mul(hn::Mul(p, power_of_two(half)), power_of_two(hn::Sub(n.integer(), half)));
#endif
}

/// exp over the whole range, denormal results included.
HWY_INLINE FloatVec exp_full(FloatVec x) {
  Whole n;
  const FloatVec p = hn::Add(reduced_expm1(at_least(-105.0F, at_most(89.0F, x)), &n), splat(1.0F));
  return scaled(p, n);
}

/// exp for arguments in [-87, 88]; others are clamped.
HWY_INLINE FloatVec exp_clamped(FloatVec x) {
  Whole n;
  const FloatVec p = hn::Add(reduced_expm1(at_least(-87.0F, at_most(88.0F, x)), &n), splat(1.0F));
  return hn::Mul(p, hn::BitCast(Floats(), n.power()));
}

/// a / b for b in [2^-126, 2^126], within 2 ulp.
HWY_INLINE FloatVec quotient(FloatVec a, FloatVec b) {
#if HWY_TARGET == HWY_AVX3
  // A division of 16 lanes keeps its port for 16 cycles; the estimate is good for 14 bits, a step of Newton's for 28.
  const FloatVec estimate = hn::ApproximateReciprocal(b);
  const FloatVec inverse = hn::MulAdd(estimate, hn::NegMulAdd(b, estimate, splat(1.0F)), estimate);
  return hn::Mul(a, inverse);
#else
  return hn::Div(a, b);
#endif
}

/// tanh(|x|) = e / (e + 2) with e = exp(2|x|) - 1, accurate near 0 too.
HWY_INLINE FloatVec tanh_full(FloatVec x) {
  const FloatVec magnitude = hn::Abs(x);
  Whole n;
  const FloatVec p = reduced_expm1(at_most(18.5F, hn::Add(magnitude, magnitude)), &n);
  const FloatVec s = hn::BitCast(Floats(), n.power());
  const FloatVec e = hn::MulAdd(s, p, hn::Sub(s, splat(1.0F)));
  return hn::CopySign(quotient(e, hn::Add(e, splat(2.0F))), x);
}

/// sigmoid(x) = 1/(1+e) for x >= 0 and e/(1+e) below, with e = exp(-|x|): no loss at either end.
HWY_INLINE FloatVec sigmoid_full(FloatVec x) {
  const FloatVec e = exp_full(hn::Neg(hn::Abs(x)));
  const FloatVec numerator = hn::IfThenElse(hn::Lt(x, hn::Zero(Floats())), e, splat(1.0F));
  return quotient(numerator, hn::Add(e, splat(1.0F)));
}

/// sigmoid for gates: below -87 it stays at 1.6e-38 instead of falling to 0.
HWY_INLINE FloatVec sigmoid_gate(FloatVec x) {
  return quotient(splat(1.0F), hn::Add(exp_clamped(hn::Neg(x)), splat(1.0F)));
}

HWY_INLINE FloatVec hard_sigmoid_full(FloatVec x) {
  return at_least(0.0F, at_most(1.0F, hn::MulAdd(x, splat(0.2F), splat(0.5F))));
}

/// exp(x) - 1, accurate near 0 too.
HWY_INLINE FloatVec expm1_full(FloatVec x) {
  Whole n;
  const FloatVec p = reduced_expm1(at_least(-30.0F, at_most(89.0F, x)), &n);
  // 2^(n-1), as 2^n may be beyond the range where the result is not.
  const FloatVec s = hn::BitCast(Floats(), hn::Sub(n.power(), hn::Set(Ints(), 0x00800000)));
  const FloatVec half = hn::MulAdd(s, p, hn::Sub(s, splat(0.5F)));
  // Keeps -0 and denormal numbers.
  return hn::IfThenElse(hn::Lt(hn::Abs(x), splat(2.98e-8F)), x, hn::Add(half, half));
}

/// A number as m * 2^k with m in [sqrt(1/2), sqrt(2)).
struct LogParts {
  FloatVec m;
  IntVec k;
};
HWY_INLINE LogParts log_parts(FloatVec normal) {
  const Ints di;
  const IntVec bits = hn::Sub(hn::BitCast(di, normal), hn::Set(di, 0x3F3504F3));
  const IntVec mantissa = hn::Add(hn::And(bits, hn::Set(di, 0x007FFFFF)), hn::Set(di, 0x3F3504F3));
  return {hn::BitCast(Floats(), mantissa), hn::ShiftRight<23>(bits)};
}

/// log(1 + f) + k*ln2 for 1 + f in [sqrt(1/2), sqrt(2)) and s = f / (f + 2).
HWY_INLINE FloatVec log_of_parts(FloatVec f, FloatVec s, FloatVec k) {
  const FloatVec z = hn::Mul(s, s);
  // (2 atanh(s) - 2s) / s^3 in z = s^2 on [0, 0.02945]: 1.2e-9
  FloatVec r = hn::MulAdd(z, splat(2.333276622e-01F), splat(2.855072299e-01F));
  r = hn::MulAdd(r, z, splat(4.000012288e-01F));
  r = hn::Mul(hn::MulAdd(r, z, splat(6.666666655e-01F)), z);
  const FloatVec half_square = hn::Mul(hn::Mul(f, f), splat(0.5F));
  // log(1+f) = f - (f^2/2 - s*(f^2/2 + r)); ln2 in two parts.
  const FloatVec low = hn::MulAdd(s, hn::Add(half_square, r), hn::Mul(k, splat(9.0580006145e-06F)));
  const FloatVec tail = hn::Sub(hn::Sub(half_square, low), f);
  return hn::Sub(hn::Mul(k, splat(0.693138122558593750F)), tail);
}

/// `result`, or what a logarithm of an argument outside (pole, infinity) is.
HWY_INLINE FloatVec log_beyond(FloatVec x, float pole, FloatVec result) {
  const FloatVec infinity = splat(std::numeric_limits<float>::infinity());
  result = hn::IfThenElse(hn::Eq(x, infinity), infinity, result);
  result = hn::IfThenElse(hn::Eq(x, splat(pole)), hn::Neg(infinity), result);
  return hn::IfThenElse(hn::Ge(x, splat(pole)), result, splat(std::numeric_limits<float>::quiet_NaN()));
}

HWY_INLINE FloatVec log_full(FloatVec x) {
  const Floats d;
  constexpr float kSmallest = std::numeric_limits<float>::min();
  const auto is_small = hn::Lt(x, splat(kSmallest));
  const LogParts parts = log_parts(hn::IfThenElse(is_small, hn::Mul(x, splat(8388608.0F)), x));
  const FloatVec k = hn::Sub(hn::ConvertTo(d, parts.k), hn::IfThenElseZero(is_small, splat(23.0F)));
  const FloatVec f = hn::Sub(parts.m, splat(1.0F));
  return log_beyond(x, 0.0F, log_of_parts(f, hn::Div(f, hn::Add(f, splat(2.0F))), k));
}

/// log(1 + x), accurate near 0 too.
HWY_INLINE FloatVec log1p_full(FloatVec x) {
  const Ints di;
  const FloatVec one = splat(1.0F), u = hn::Add(x, one), v = hn::Sub(u, one);
  // What u lacks of 1 + x, exactly.
  const FloatVec lost = hn::Add(hn::Sub(one, hn::Sub(u, v)), hn::Sub(x, v));
  const LogParts parts = log_parts(u);
  // Of k above 64 the rest is nothing, and 2^-k may be denormal.
  const IntVec exponent = hn::Sub(hn::Set(di, 127), hn::Min(parts.k, hn::Set(di, 64)));
  const FloatVec scale = hn::BitCast(Floats(), hn::ShiftLeft<23>(exponent));
  const FloatVec f = hn::MulAdd(lost, scale, hn::Sub(parts.m, one));
  const FloatVec s = quotient(f, hn::Add(f, splat(2.0F)));
  const FloatVec result = log_beyond(x, -1.0F, log_of_parts(f, s, hn::ConvertTo(Floats(), parts.k)));
  // Keeps -0.
  return hn::IfThenElse(hn::Lt(hn::Abs(x), splat(2.98e-8F)), x, result);
}

/// max(x, 0) + log(1 + e) with e = exp(-|x|): no loss at either end.
HWY_INLINE FloatVec softplus_full(FloatVec x) {
  const FloatVec e = exp_full(hn::Neg(hn::Abs(x)));
  // (log(1 + e) - e) / e^2 on [0, 1]: 5.1e-9 of the logarithm. In pairs, as one long chain of sums keeps waiting.
  const FloatVec e2 = hn::Mul(e, e), e4 = hn::Mul(e2, e2);
  const FloatVec p0 = hn::MulAdd(e, splat(3.333051205e-01F), splat(-4.999993145e-01F));
  const FloatVec p2 = hn::MulAdd(e, splat(1.969540119e-01F), splat(-2.495858818e-01F));
  const FloatVec p4 = hn::MulAdd(e, splat(1.068055555e-01F), splat(-1.535539776e-01F));
  const FloatVec p6 = hn::MulAdd(e, splat(2.020457573e-02F), splat(-5.766443536e-02F));
  const FloatVec high = hn::MulAdd(e4, splat(-3.318469739e-03F), hn::MulAdd(e2, p6, p4));
  const FloatVec p = hn::MulAdd(e4, high, hn::MulAdd(e2, p2, p0));
  return hn::Add(at_least(0.0F, x), hn::MulAdd(e2, p, e));
}

/// Angles as quarter turns and rests: see far_angle.h.
struct Quarters {
  FloatVec rest;
  IntVec count;
};
HWY_INLINE Quarters quarters_of(FloatVec magnitude) {
  const Floats d;
#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3
  constexpr float kNear = 131072.0F;
#else
  constexpr float kNear = 0.78F;  // The three products below need to be exact.
#endif
  Whole n;
  n.biased = hn::MulAdd(magnitude, splat(0.636619747F), splat(Whole::kBias));
  const FloatVec whole = n.value();
  FloatVec rest = hn::NegMulAdd(whole, splat(1.57079637F), magnitude);
  rest = hn::MulAdd(whole, splat(4.37113883e-8F), rest);
  rest = hn::MulAdd(whole, splat(1.71512451e-15F), rest);
  IntVec count = n.integer();
  const auto is_near = hn::Lt(magnitude, splat(kNear));
  if (HWY_LIKELY(hn::AllTrue(d, is_near))) return {rest, count};
  float angles[HWY_LANES(float)], rests[HWY_LANES(float)];
  std::int32_t counts[HWY_LANES(float)];
  hn::StoreU(magnitude, d, angles);
  hn::StoreU(rest, d, rests);
  hn::StoreU(count, Ints(), counts);
  for (std::size_t i = 0; i < HWY_LANES(float); ++i) {
    if (angles[i] < kNear) continue;
    const QuarterTurns far = far_angle(angles[i]);
    rests[i] = far.rest;
    counts[i] = far.count;
  }
  return {hn::LoadU(d, rests), hn::LoadU(Ints(), counts)};
}

/// sin(rest + count * pi/2)
HWY_INLINE FloatVec sin_of_quarters(FloatVec rest, IntVec count) {
  const Floats d;
  const Ints di;
  const FloatVec z = hn::Mul(rest, rest);
  // (sin(r) - r) / r^3 in z = r^2 on |r| <= 0.82: 5.4e-9 of the sine
  FloatVec p = hn::MulAdd(z, splat(-1.948597637e-04F), splat(8.331939578e-03F));
  p = hn::MulAdd(p, z, splat(-1.666665077e-01F));
  const FloatVec sine = hn::MulAdd(hn::Mul(rest, z), p, rest);
  // (cos(r) - 1 + r^2/2) / r^4 in z on the same: 1.8e-10
  FloatVec q = hn::MulAdd(z, splat(2.439963828e-05F), splat(-1.388701610e-03F));
  q = hn::MulAdd(q, z, splat(4.166663811e-02F));
  const FloatVec cosine = hn::MulAdd(hn::Mul(z, z), q, hn::NegMulAdd(z, splat(0.5F), splat(1.0F)));
  const auto odd = hn::MaskFromVec(hn::BitCast(d, hn::ShiftRight<31>(hn::ShiftLeft<31>(count))));
  const FloatVec sign = hn::BitCast(d, hn::ShiftLeft<30>(hn::And(count, hn::Set(di, 2))));
  return hn::Xor(hn::IfThenElse(odd, cosine, sine), sign);
}

HWY_INLINE FloatVec sin_full(FloatVec x) {
  const FloatVec magnitude = hn::Abs(x);
  const Quarters quarters = quarters_of(magnitude);
  // The sign of x, for -0 too.
  return hn::Xor(sin_of_quarters(quarters.rest, quarters.count), hn::Xor(x, magnitude));
}

HWY_INLINE FloatVec cos_full(FloatVec x) {
  const Quarters quarters = quarters_of(hn::Abs(x));
  return sin_of_quarters(quarters.rest, hn::Add(quarters.count, hn::Set(Ints(), 1)));
}

HWY_INLINE FloatVec erf_full(FloatVec x) {
  const FloatVec magnitude = hn::Abs(x);
  const FloatVec z = hn::Mul(x, x);
  // erf(x)/x in x^2 on [0, 1]: 1.2e-9
  FloatVec inner = hn::MulAdd(z, splat(7.889123158e-05F), splat(-8.020842367e-04F));
  inner = hn::MulAdd(inner, z, splat(5.189535461e-03F));
  inner = hn::MulAdd(inner, z, splat(-2.685444466e-02F));
  inner = hn::MulAdd(inner, z, splat(1.128360018e-01F));
  inner = hn::MulAdd(inner, z, splat(-3.761262714e-01F));
  inner = hn::Mul(hn::MulAdd(inner, z, splat(1.128379166e+00F)), x);
  // log(erfc(|x|)) on [0.97, 4]: erfc to 2.1e-11
  const FloatVec t = at_most(4.0F, magnitude);
  FloatVec outer = hn::MulAdd(t, splat(-2.168674798e-05F), splat(4.413351080e-04F));
  outer = hn::MulAdd(outer, t, splat(-4.204555240e-03F));
  outer = hn::MulAdd(outer, t, splat(2.520823785e-02F));
  outer = hn::MulAdd(outer, t, splat(-1.084185457e-01F));
  outer = hn::MulAdd(outer, t, splat(-6.332199243e-01F));
  outer = hn::MulAdd(outer, t, splat(-1.129578407e+00F));
  outer = hn::MulAdd(outer, t, splat(1.880364141e-04F));
  outer = hn::CopySign(hn::Sub(splat(1.0F), exp_clamped(outer)), x);
  return hn::IfThenElse(hn::Lt(magnitude, splat(1.0F)), inner, outer);
}

HWY_INLINE FloatVec gelu_full(FloatVec x) {
  const FloatVec half = hn::Mul(x, splat(0.5F));
  return hn::MulAdd(half, erf_full(hn::Mul(x, splat(0.70710678F))), half);
}

/// The tanh form of gelu is x * sigmoid(argument), as (1 + tanh(u)) / 2 = sigmoid(2 u).
HWY_INLINE FloatVec gelu_tanh_argument(FloatVec x) {
  return hn::Mul(x, hn::MulAdd(hn::Mul(x, x), splat(0.071354816F), splat(1.5957691F)));
}
HWY_INLINE FloatVec gelu_tanh_full(FloatVec x) { return hn::Mul(x, sigmoid_full(gelu_tanh_argument(x))); }
/// Of that form; the two sides of the sigmoid are computed apart, as 1 - sigmoid would lose digits.
HWY_INLINE FloatVec gelu_tanh_slope(FloatVec x) {
  const FloatVec e = exp_full(hn::Neg(hn::Abs(gelu_tanh_argument(x))));
  const FloatVec total = hn::Add(e, splat(1.0F));
  const FloatVec high = quotient(splat(1.0F), total), low = quotient(e, total);
  // Beyond it `low` is 0, which an infinite factor would spoil.
  const FloatVec near = hn::Min(hn::Max(x, splat(-16.0F)), splat(16.0F));
  const FloatVec inner = hn::MulAdd(hn::Mul(near, near), splat(3 * 0.071354816F), splat(1.5957691F));
  return hn::MulAdd(hn::Mul(near, inner), hn::Mul(high, low), hn::IfThenElse(hn::Lt(x, hn::Zero(Floats())), low, high));
}

}  // namespace eddy::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
