// SPDX-License-Identifier: Apache-2.0
#include "eddy/core/math.h"

#include "eddy/core/simd_targets.h"
#include "eddy/core/tile_product.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "eddy/core/math.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// clang-format off
#include "eddy/core/vector_math-inl.h"
// clang-format on

#include <algorithm>
#include <cmath>
#include <limits>

HWY_BEFORE_NAMESPACE();
namespace eddy::HWY_NAMESPACE {
namespace {

constexpr int kWidth = HWY_LANES(float);

// The ragged end of an array goes through a padded copy, so that each kernel is written once. Functors, not lambdas:
// under clang a lambda does not inherit the target's instructions.
template <class F>
HWY_INLINE void map1(const F& f, const float* in, float* out, std::int64_t n) {
  const Floats d;
  std::int64_t i = 0;
  for (; i + kWidth <= n; i += kWidth) hn::StoreU(f(hn::LoadU(d, in + i)), d, out + i);
  if (i < n) {
    float tail[kWidth] = {};
    std::copy(in + i, in + n, tail);
    hn::StoreU(f(hn::LoadU(d, tail)), d, tail);
    std::copy(tail, tail + (n - i), out + i);
  }
}

template <class F>
HWY_INLINE void map2(const F& f, const float* a, const float* b, float* out, std::int64_t n) {
  const Floats d;
  std::int64_t i = 0;
  for (; i + kWidth <= n; i += kWidth) hn::StoreU(f(hn::LoadU(d, a + i), hn::LoadU(d, b + i)), d, out + i);
  if (i < n) {
    float left[kWidth] = {}, right[kWidth] = {};
    std::copy(a + i, a + n, left);
    std::copy(b + i, b + n, right);
    hn::StoreU(f(hn::LoadU(d, left), hn::LoadU(d, right)), d, left);
    std::copy(left, left + (n - i), out + i);
  }
}

template <class F>
HWY_INLINE void map3(const F& f, const float* a, const float* b, const float* c, float* out, std::int64_t n) {
  const Floats d;
  std::int64_t i = 0;
  for (; i + kWidth <= n; i += kWidth)
    hn::StoreU(f(hn::LoadU(d, a + i), hn::LoadU(d, b + i), hn::LoadU(d, c + i)), d, out + i);
  if (i < n) {
    float x[kWidth] = {}, y[kWidth] = {}, z[kWidth] = {};
    std::copy(a + i, a + n, x);
    std::copy(b + i, b + n, y);
    std::copy(c + i, c + n, z);
    hn::StoreU(f(hn::LoadU(d, x), hn::LoadU(d, y), hn::LoadU(d, z)), d, x);
    std::copy(x, x + (n - i), out + i);
  }
}

#define EDDY_UNARY(NAME, EXPRESSION)                                        \
  struct NAME##Function {                                                   \
    HWY_INLINE FloatVec operator()(FloatVec x) const { return EXPRESSION; } \
  };                                                                        \
  void NAME(const float* in, float* out, std::int64_t n) { map1(NAME##Function(), in, out, n); }

#define EDDY_BINARY(NAME, EXPRESSION)                                                   \
  struct NAME##Function {                                                               \
    HWY_INLINE FloatVec operator()(FloatVec a, FloatVec b) const { return EXPRESSION; } \
  };                                                                                    \
  void NAME(const float* a, const float* b, float* out, std::int64_t n) { map2(NAME##Function(), a, b, out, n); }

}  // namespace

EDDY_UNARY(do_exp, exp_full(x))
EDDY_UNARY(do_log, log_full(x))
EDDY_UNARY(do_expm1, expm1_full(x))
EDDY_UNARY(do_log1p, log1p_full(x))
EDDY_UNARY(do_softplus, softplus_full(x))
EDDY_UNARY(do_sin, sin_full(x))
EDDY_UNARY(do_cos, cos_full(x))
EDDY_UNARY(do_tanh, tanh_full(x))
EDDY_UNARY(do_sigmoid, sigmoid_full(x))
EDDY_UNARY(do_erf, erf_full(x))
EDDY_UNARY(do_sqrt, hn::Sqrt(x))
// Highway's portable forms lose the sign of zeros.
EDDY_UNARY(do_floor, hn::CopySign(hn::Floor(x), x))
EDDY_UNARY(do_ceil, hn::CopySign(hn::Ceil(x), x))
EDDY_UNARY(do_round, hn::CopySign(hn::Round(x), x))
EDDY_UNARY(do_gelu, gelu_full(x))
EDDY_UNARY(do_gelu_tanh, gelu_tanh_full(x))
EDDY_UNARY(do_hard_sigmoid, hard_sigmoid_full(x))
EDDY_UNARY(do_relu, at_least(0.0F, x))

EDDY_BINARY(do_add, hn::Add(a, b))
EDDY_BINARY(do_sub, hn::Sub(a, b))
EDDY_BINARY(do_mul, hn::Mul(a, b))
EDDY_BINARY(do_div, hn::Div(a, b))
// These keep a NaN in b; one in a must win too.
EDDY_BINARY(do_max, hn::IfThenElse(hn::Eq(a, a), max_keeping(a, b), a))
EDDY_BINARY(do_min, hn::IfThenElse(hn::Eq(a, a), min_keeping(a, b), a))
// Here a is dy and b the output.
EDDY_BINARY(do_tanh_gradient, hn::Mul(a, hn::NegMulAdd(b, b, splat(1.0F))))
EDDY_BINARY(do_sigmoid_gradient, hn::Mul(hn::Mul(a, b), hn::Sub(splat(1.0F), b)))
EDDY_BINARY(do_relu_gradient, hn::IfThenZeroElse(hn::Le(b, hn::Zero(Floats())), a))
// Phi(x) + x * phi(x)
EDDY_BINARY(do_gelu_gradient,
            hn::Mul(a, hn::MulAdd(hn::Mul(b, splat(0.39894228F)), exp_full(hn::Mul(hn::Mul(b, b), splat(-0.5F))),
                                  hn::MulAdd(erf_full(hn::Mul(b, splat(0.70710678F))), splat(0.5F), splat(0.5F)))))

EDDY_BINARY(do_gelu_tanh_gradient, hn::Mul(a, gelu_tanh_slope(b)))

namespace {

struct Axpy {
  FloatVec alpha;
  HWY_INLINE FloatVec operator()(FloatVec x, FloatVec y) const { return hn::MulAdd(alpha, x, y); }
};
struct Scale {
  FloatVec alpha;
  HWY_INLINE FloatVec operator()(FloatVec x) const { return hn::Mul(alpha, x); }
};
struct AddScalar {
  FloatVec alpha;
  HWY_INLINE FloatVec operator()(FloatVec x) const { return hn::Add(alpha, x); }
};
struct MulAdd {
  HWY_INLINE FloatVec operator()(FloatVec a, FloatVec b, FloatVec out) const { return hn::MulAdd(a, b, out); }
};
struct ShiftedExp {
  FloatVec shift, alpha;
  HWY_INLINE FloatVec operator()(FloatVec x) const { return hn::Mul(alpha, exp_full(hn::Sub(x, shift))); }
};
struct SubtractBoth {
  FloatVec first, second;
  HWY_INLINE FloatVec operator()(FloatVec x) const { return hn::Sub(hn::Sub(x, first), second); }
};
struct SoftmaxGradient {
  FloatVec dot;
  HWY_INLINE FloatVec operator()(FloatVec dy, FloatVec y) const { return hn::Mul(y, hn::Sub(dy, dot)); }
};

/// kWidth numbers from `at` on.
struct WholeVector {
  std::int64_t at;
  HWY_INLINE FloatVec load(const float* from, float) const { return hn::LoadU(Floats(), from + at); }
  HWY_INLINE void store(FloatVec x, float* to) const { hn::StoreU(x, Floats(), to + at); }
};
/// The last ones, fewer than a vector holds; loads fill it up with `pad`.
struct RaggedEnd {
  std::int64_t at;
  hn::Mask<Floats> mask;
  HWY_INLINE FloatVec load(const float* from, float pad) const {
    return hn::IfThenElse(mask, hn::MaskedLoad(mask, Floats(), from + at), splat(pad));
  }
  HWY_INLINE void store(FloatVec x, float* to) const { hn::BlendedStore(x, mask, Floats(), to + at); }
};

// Terms of a sum: the accumulator with those of a vector added; the padding must contribute 0.
struct SumTerm {
  const float* in;
  HWY_INLINE FloatVec operator()(const auto& part, FloatVec acc) const { return hn::Add(acc, part.load(in, 0)); }
};
struct DotTerm {
  const float *a, *b;
  HWY_INLINE FloatVec operator()(const auto& part, FloatVec acc) const {
    return hn::MulAdd(part.load(a, 0), part.load(b, 0), acc);
  }
};
struct ExpTerm {
  const float* in;
  FloatVec shift;
  float* out;         ///< where the terms go too, or null
  std::int64_t size;  ///< of the row; the next one is often needed next
  HWY_INLINE FloatVec operator()(const auto& part, FloatVec acc) const {
    __builtin_prefetch(in + part.at + size, 0, 2);
    const FloatVec x = part.load(in, -std::numeric_limits<float>::infinity());
    const FloatVec term = exp_full(hn::Sub(x, shift));
    if (out != nullptr) part.store(term, out);
    return hn::Add(acc, term);
  }
};

/// Sums n terms in blocks: f32 inside a block, double between blocks, so that long sums stay accurate.
template <class F>
HWY_INLINE double reduce(const F& f, std::int64_t n) {
  const Floats d;
  constexpr std::int64_t kBlock = 256 * kWidth;
  double total = 0;
  for (std::int64_t start = 0; start < n; start += kBlock) {
    const std::int64_t stop = std::min(start + kBlock, n);
    FloatVec s0 = hn::Zero(d), s1 = s0, s2 = s0, s3 = s0;
    std::int64_t i = start;
    for (; i + 4 * kWidth <= stop; i += 4 * kWidth) {
      s0 = f(WholeVector{i}, s0);
      s1 = f(WholeVector{i + kWidth}, s1);
      s2 = f(WholeVector{i + 2 * kWidth}, s2);
      s3 = f(WholeVector{i + 3 * kWidth}, s3);
    }
    for (; i + kWidth <= stop; i += kWidth) s0 = f(WholeVector{i}, s0);
    if (i < stop) s1 = f(RaggedEnd{i, hn::FirstN(d, static_cast<std::size_t>(stop - i))}, s1);
    total += static_cast<double>(hn::GetLane(hn::SumOfLanes(d, hn::Add(hn::Add(s0, s1), hn::Add(s2, s3)))));
  }
  return total;
}

template <bool kMax>
HWY_INLINE float extreme(const float* in, std::int64_t n) {
  const Floats d;
  constexpr float kStart = kMax ? -std::numeric_limits<float>::infinity() : std::numeric_limits<float>::infinity();
  FloatVec best = splat(kStart), best1 = best, best2 = best, best3 = best;
  auto seen_nan = hn::FirstN(d, 0);
  const auto take = [&](FloatVec x, FloatVec& best_so_far) HWY_ATTR {
    seen_nan = hn::Or(seen_nan, hn::IsNaN(x));
    best_so_far = kMax ? hn::Max(best_so_far, x) : hn::Min(best_so_far, x);
  };
  std::int64_t i = 0;
  for (; i + 4 * kWidth <= n; i += 4 * kWidth) {
    take(hn::LoadU(d, in + i), best);
    take(hn::LoadU(d, in + i + kWidth), best1);
    take(hn::LoadU(d, in + i + 2 * kWidth), best2);
    take(hn::LoadU(d, in + i + 3 * kWidth), best3);
  }
  for (; i + kWidth <= n; i += kWidth) take(hn::LoadU(d, in + i), best);
  if (i < n) {
    float tail[kWidth];
    std::fill(tail, tail + kWidth, kStart);
    std::copy(in + i, in + n, tail);
    take(hn::LoadU(d, tail), best);
  }
  take(best1, best);
  take(best2, best);
  take(best3, best);
  if (!hn::AllFalse(d, seen_nan)) return std::numeric_limits<float>::quiet_NaN();
  return hn::GetLane(kMax ? hn::MaxOfLanes(d, best) : hn::MinOfLanes(d, best));
}

}  // namespace

void do_axpy(float alpha, const float* x, float* y, std::int64_t n) { map2(Axpy{splat(alpha)}, x, y, y, n); }
void do_scale(float alpha, const float* in, float* out, std::int64_t n) { map1(Scale{splat(alpha)}, in, out, n); }
void do_add_scalar(float alpha, const float* in, float* out, std::int64_t n) {
  map1(AddScalar{splat(alpha)}, in, out, n);
}
void do_mul_add(const float* a, const float* b, float* out, std::int64_t n) { map3(MulAdd(), a, b, out, out, n); }
void do_exp_shifted(const float* in, float shift, float alpha, float* out, std::int64_t n) {
  map1(ShiftedExp{splat(shift), splat(alpha)}, in, out, n);
}
void do_subtract_both(const float* in, float first, float second, float* out, std::int64_t n) {
  map1(SubtractBoth{splat(first), splat(second)}, in, out, n);
}
double do_exp_shifted_sum(const float* in, float shift, float* out, std::int64_t n) {
  return reduce(ExpTerm{in, splat(shift), out, n}, n);
}
void do_softmax_gradient(const float* dy, const float* y, float* dx, float dot, std::int64_t n) {
  map2(SoftmaxGradient{splat(dot)}, dy, y, dx, n);
}

/// out += the sum of four rows. The lines of the four rows after them are fetched meanwhile: strides of a page or more
/// are beyond the processor's own prefetching.
void do_add_rows(const float* in, std::int64_t ld, float* out, std::int64_t n) {
  const Floats d;
  const float *r0 = in, *r1 = in + ld, *r2 = in + 2 * ld, *r3 = in + 3 * ld;
  std::int64_t i = 0;
  for (; i + kWidth <= n; i += kWidth) {
    for (std::int64_t next = 4; next < 8; ++next) __builtin_prefetch(in + next * ld + i);
    const FloatVec low = hn::Add(hn::LoadU(d, r0 + i), hn::LoadU(d, r1 + i));
    const FloatVec high = hn::Add(hn::LoadU(d, r2 + i), hn::LoadU(d, r3 + i));
    hn::StoreU(hn::Add(hn::LoadU(d, out + i), hn::Add(low, high)), d, out + i);
  }
  for (; i < n; ++i) out[i] += (r0[i] + r1[i]) + (r2[i] + r3[i]);
}

double do_sum(const float* in, std::int64_t n) { return reduce(SumTerm{in}, n); }
double do_dot(const float* a, const float* b, std::int64_t n) { return reduce(DotTerm{a, b}, n); }
float do_max_value(const float* in, std::int64_t n) { return extreme<true>(in, n); }
float do_min_value(const float* in, std::int64_t n) { return extreme<false>(in, n); }

// Highway calls AVX-512 AVX3.
const char* target_name() { return HWY_TARGET == HWY_AVX3 ? "AVX-512" : hwy::TargetName(HWY_TARGET); }

}  // namespace eddy::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <cstdio>
#include <cstdlib>

#include "eddy/core/cpu.h"
#include "eddy/core/error.h"
#include "eddy/core/threads.h"

namespace eddy {

#define EDDY_DISPATCH_UNARY(NAME) \
  HWY_EXPORT(do_##NAME);          \
  void vector_##NAME(const float* in, float* out, std::int64_t n) { HWY_DYNAMIC_DISPATCH(do_##NAME)(in, out, n); }
#define EDDY_DISPATCH_BINARY(NAME)                                                 \
  HWY_EXPORT(do_##NAME);                                                           \
  void vector_##NAME(const float* a, const float* b, float* out, std::int64_t n) { \
    HWY_DYNAMIC_DISPATCH(do_##NAME)(a, b, out, n);                                 \
  }
#define EDDY_DISPATCH_SCALED(NAME)                                               \
  HWY_EXPORT(do_##NAME);                                                         \
  void vector_##NAME(float alpha, const float* in, float* out, std::int64_t n) { \
    HWY_DYNAMIC_DISPATCH(do_##NAME)(alpha, in, out, n);                          \
  }

EDDY_DISPATCH_UNARY(exp)
EDDY_DISPATCH_UNARY(log)
EDDY_DISPATCH_UNARY(expm1)
EDDY_DISPATCH_UNARY(log1p)
EDDY_DISPATCH_UNARY(softplus)
EDDY_DISPATCH_UNARY(sin)
EDDY_DISPATCH_UNARY(cos)
EDDY_DISPATCH_UNARY(tanh)
EDDY_DISPATCH_UNARY(sigmoid)
EDDY_DISPATCH_UNARY(erf)
EDDY_DISPATCH_UNARY(sqrt)
EDDY_DISPATCH_UNARY(floor)
EDDY_DISPATCH_UNARY(ceil)
EDDY_DISPATCH_UNARY(round)
EDDY_DISPATCH_UNARY(gelu)
EDDY_DISPATCH_UNARY(gelu_tanh)
EDDY_DISPATCH_UNARY(hard_sigmoid)
EDDY_DISPATCH_UNARY(relu)
EDDY_DISPATCH_BINARY(add)
EDDY_DISPATCH_BINARY(sub)
EDDY_DISPATCH_BINARY(mul)
EDDY_DISPATCH_BINARY(div)
EDDY_DISPATCH_BINARY(max)
EDDY_DISPATCH_BINARY(min)
EDDY_DISPATCH_BINARY(tanh_gradient)
EDDY_DISPATCH_BINARY(sigmoid_gradient)
EDDY_DISPATCH_BINARY(relu_gradient)
EDDY_DISPATCH_BINARY(gelu_gradient)
EDDY_DISPATCH_BINARY(gelu_tanh_gradient)
EDDY_DISPATCH_BINARY(mul_add)
EDDY_DISPATCH_SCALED(axpy)
EDDY_DISPATCH_SCALED(scale)
EDDY_DISPATCH_SCALED(add_scalar)

HWY_EXPORT(do_add_rows);
HWY_EXPORT(do_exp_shifted);
HWY_EXPORT(do_exp_shifted_sum);
HWY_EXPORT(do_subtract_both);
HWY_EXPORT(do_softmax_gradient);
HWY_EXPORT(do_sum);
HWY_EXPORT(do_dot);
HWY_EXPORT(do_max_value);
HWY_EXPORT(do_min_value);
HWY_EXPORT(target_name);

namespace {

/// Done as the library is loaded, since the first dispatch settles what all others get.
[[maybe_unused]] const bool simd_limited = [] {
  try {
    // A better target has a lower bit.
    const SimdLimit limit = simd_limit(std::getenv("EDDY_SIMD"));
    if (limit == SimdLimit::avx2) hwy::DisableTargets(HWY_AVX2 - 1);
    if (limit == SimdLimit::portable) hwy::DisableTargets(2 * HWY_AVX2 - 1);
    return limit != SimdLimit::none;
  } catch (const UsageError& error) {
    // Nobody can catch it this early.
    std::fprintf(stderr, "eddy: %s\n", error.what());
    std::exit(2);
  }
}();

}  // namespace

const char* vector_target() { return tiles::available() ? "AVX-512 and AMX" : HWY_DYNAMIC_DISPATCH(target_name)(); }

void vector_fill(float value, float* out, std::int64_t n) { std::fill(out, out + std::max<std::int64_t>(n, 0), value); }

double vector_sum(const float* in, std::int64_t n) { return HWY_DYNAMIC_DISPATCH(do_sum)(in, n); }
double vector_dot(const float* a, const float* b, std::int64_t n) { return HWY_DYNAMIC_DISPATCH(do_dot)(a, b, n); }
double vector_sum_squares(const float* in, std::int64_t n) { return HWY_DYNAMIC_DISPATCH(do_dot)(in, in, n); }
float vector_max_value(const float* in, std::int64_t n) { return HWY_DYNAMIC_DISPATCH(do_max_value)(in, n); }
float vector_min_value(const float* in, std::int64_t n) { return HWY_DYNAMIC_DISPATCH(do_min_value)(in, n); }

namespace {

/// The terms go to `terms` too, unless it is null; it may not be `in`. A long row is read once: the largest of its
/// first elements is near enough to the largest of all, unless the sum says that another is some 8 above it.
ExpSum exp_sum_with_terms(const float* in, float* terms, std::int64_t n) {
  constexpr std::int64_t kFirst = 512;
  constexpr double kFarAbove = 3000;
  const auto sum_above = [&](float reference) {
    return HWY_DYNAMIC_DISPATCH(do_exp_shifted_sum)(in, reference, terms, n);
  };
  if (n > kFirst) {
    const float reference = vector_max_value(in, kFirst);
    if (std::isfinite(reference)) {
      const double total = sum_above(reference);
      if (total < static_cast<double>(n) + kFarAbove) return {reference, total};
    }
  }
  const float largest = vector_max_value(in, n);
  return {largest, sum_above(largest)};
}

}  // namespace

double ExpSum::log_sum() const { return std::isfinite(reference) ? std::log(sum) : 0; }

ExpSum exp_sum(const float* in, std::int64_t n) { return exp_sum_with_terms(in, nullptr, n); }

float log_sum_exp(const float* in, std::int64_t n) {
  const ExpSum row = exp_sum(in, n);
  return static_cast<float>(row.reference + row.log_sum());
}

void exp_shifted_scaled(const float* in, float shift, float alpha, float* out, std::int64_t n) {
  HWY_DYNAMIC_DISPATCH(do_exp_shifted)(in, shift, alpha, out, n);
}

void softmax_row(const float* in, float* out, std::int64_t n) {
  const ExpSum row = exp_sum_with_terms(in, out == in ? nullptr : out, n);
  const auto scale = static_cast<float>(1.0 / row.sum);
  if (out == in) {
    exp_shifted_scaled(in, row.reference, scale, out, n);
  } else {
    vector_scale(scale, out, out, n);
  }
}

void log_softmax_row(const float* in, float* out, std::int64_t n) {
  const ExpSum row = exp_sum(in, n);
  HWY_DYNAMIC_DISPATCH(do_subtract_both)(in, row.reference, static_cast<float>(row.log_sum()), out, n);
}

void softmax_row_gradient(const float* dy, const float* y, float* dx, std::int64_t n) {
  const auto dot = static_cast<float>(vector_dot(dy, y, n));
  HWY_DYNAMIC_DISPATCH(do_softmax_gradient)(dy, y, dx, dot, n);
}

void add_row(const float* in, const float* row, float* out, std::int64_t rows, std::int64_t cols) {
  parallel_for(rows, grain_of(cols), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) vector_add(in + r * cols, row, out + r * cols, cols);
  });
}

void column_sum(const float* in, std::int64_t rows, std::int64_t cols, std::int64_t ld, bool accumulate, float* out) {
  // Threads share out whole strips of columns: each sum has one order. A strip is wide enough to read memory in long
  // runs; it and its partial sums stay in cache.
  constexpr std::int64_t kStrip = 512;
  constexpr std::int64_t kRowsAtOnce = 64;
  const std::int64_t strips = (cols + kStrip - 1) / kStrip;
  parallel_for(strips, grain_of(rows * kStrip), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t strip = begin; strip < end; ++strip) {
      const std::int64_t c0 = strip * kStrip, width = std::min(kStrip, cols - c0);
      float total[kStrip], partial[kStrip];
      if (accumulate) {
        std::copy(out + c0, out + c0 + width, total);
      } else {
        std::fill(total, total + width, 0.0F);
      }
      // Partial sums of a few rows keep long columns accurate.
      for (std::int64_t r0 = 0; r0 < rows; r0 += kRowsAtOnce) {
        const std::int64_t r1 = std::min(r0 + kRowsAtOnce, rows);
        std::fill(partial, partial + width, 0.0F);
        std::int64_t r = r0;
        for (; r + 4 <= r1; r += 4) HWY_DYNAMIC_DISPATCH(do_add_rows)(in + r * ld + c0, ld, partial, width);
        for (; r < r1; ++r) vector_add(partial, in + r * ld + c0, partial, width);
        vector_add(total, partial, total, width);
      }
      std::copy(total, total + width, out + c0);
    }
  });
}

}  // namespace eddy
#endif
