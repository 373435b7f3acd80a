// SPDX-License-Identifier: Apache-2.0
#include "eddy/core/table_screen.h"

#include "eddy/core/simd_targets.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "eddy/core/table_screen.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// clang-format off
#include "eddy/core/gemm_kernel-inl.h"
// clang-format on

#include <algorithm>
#include <cmath>
#include <limits>

HWY_BEFORE_NAMESPACE();
namespace eddy::HWY_NAMESPACE {
namespace {

constexpr float kLargest = 127;
/// Rows whose sums run side by side, to hide the latency of each.
constexpr int kSums = 4;
static_assert(screen_rows_kept(0) == kSums - 1 && screen_width(1) % kLanes == 0);
/// A row of smaller elements is taken for zeros: their squares have too few digits.
constexpr float kSmallest = 1e-15F;
/// A sum of n products is wrong by at most about n times 6e-8 of the product of the norms. There are two such sums, and
/// rounding to integers may double the norm of a row; 6e-8 (1 + 2) and some more.
constexpr float kRounding = 2.5e-7F;
constexpr float kFarFromOverflow = 1e38F;
/// More than what denormal numbers lose, each 1e-38 where they count as zeros.
constexpr float kTiny = 1e-33F;

HWY_INLINE FloatVec load_some(const float* x, std::int64_t left) {
  const Floats d;
  return left >= kLanes ? hn::LoadU(d, x) : hn::MaskedLoad(hn::FirstN(d, static_cast<std::size_t>(left)), d, x);
}

void screen_row(const float* x, std::int64_t size, std::int8_t* integers, float* scale, float* error) {
  const Floats d;
  const hn::Rebind<std::int8_t, Floats> bytes;
  const std::int64_t width = screen_width(size);
  FloatVec largest = hn::Zero(d), squares = hn::Zero(d);
  for (std::int64_t i = 0; i < size; i += kLanes) {
    const FloatVec v = load_some(x + i, size - i);
    largest = hn::Max(largest, hn::Abs(v));
    squares = hn::MulAdd(v, v, squares);
  }
  const float most = hn::GetLane(hn::MaxOfLanes(d, largest)), norm = std::sqrt(hn::GetLane(hn::SumOfLanes(d, squares)));
  *scale = 0;
  if (!std::isfinite(norm) || most < kSmallest) {
    std::fill_n(integers, width, std::int8_t{0});
    *error = std::isfinite(norm) ? static_cast<float>(size) * kSmallest : std::numeric_limits<float>::infinity();
    return;
  }
  *scale = most / kLargest;
  const FloatVec by = splat(*scale), inverse = splat(1 / *scale);
  FloatVec misses = hn::Zero(d);
  for (std::int64_t i = 0; i < width; i += kLanes) {
    const FloatVec v = i < size ? load_some(x + i, size - i) : hn::Zero(d);
    const auto rounded = hn::NearestInt(hn::Mul(v, inverse));
    const FloatVec miss = hn::NegMulAdd(hn::ConvertTo(d, rounded), by, v);
    misses = hn::MulAdd(miss, miss, misses);
    hn::StoreU(hn::DemoteTo(bytes, rounded), bytes, integers + i);
  }
  const float missed = std::sqrt(hn::GetLane(hn::SumOfLanes(d, misses)));
  *error = 1.001F * missed + kRounding * static_cast<float>(size + 16) * norm;
}

/// sums[r] = x times row r of the copy, for kSums rows from `integers` on.
HWY_INLINE void multiply_some(const std::int8_t* integers, std::int64_t width, const float* x, float* sums) {
  const Floats d;
  const hn::Rebind<std::int8_t, Floats> bytes;
  FloatVec acc[kSums];
  EDDY_UNROLL
  for (int r = 0; r < kSums; ++r) acc[r] = hn::Zero(d);
  for (std::int64_t i = 0; i < width; i += kLanes) {
    const FloatVec right = hn::LoadU(d, x + i);
    EDDY_UNROLL
    for (int r = 0; r < kSums; ++r) {
      const IntVec left = hn::PromoteTo(Ints(), hn::LoadU(bytes, integers + r * width + i));
      acc[r] = hn::MulAdd(hn::ConvertTo(d, left), right, acc[r]);
    }
  }
  EDDY_UNROLL
  for (int r = 0; r < kSums; ++r) sums[r] = hn::GetLane(hn::SumOfLanes(d, acc[r]));
}

}  // namespace

void do_screen_rows(const float* table, std::int64_t size, std::int64_t begin, std::int64_t end,
                    const TableScreen& screen) {
  const std::int64_t width = screen_width(size);
  for (std::int64_t row = begin; row < end; ++row)
    screen_row(table + row * size, size, screen.integers + row * width, screen.scales + row, screen.errors + row);
}

float do_screen_bounds(const TableScreen& screen, std::int64_t size, const float* x, float norm, const float* bias,
                       std::int64_t begin, std::int64_t end, float* upper) {
  const std::int64_t width = screen_width(size);
  float best = -std::numeric_limits<float>::infinity();
  for (std::int64_t row = begin; row < end; row += kSums) {
    float sums[kSums];
    multiply_some(screen.integers + row * width, width, x, sums);
    for (std::int64_t i = row; i < std::min(row + kSums, end); ++i) {
      const float product = screen.scales[i] * sums[i - row], offset = bias[i];
      float error = norm * screen.errors[i] + 4 * kRounding * std::abs(product) + kTiny;
      if (std::isfinite(offset)) error += 4 * kRounding * std::abs(offset);
      // Products that may overflow have no bound: the error is at least kRounding * (size + 16) times the row's norm.
      if (!(norm * screen.errors[i] <= kFarFromOverflow * kRounding * static_cast<float>(size + 16)))
        error = std::numeric_limits<float>::infinity();
      upper[i] = product + offset + error;
      const float lower = product + offset - error;
      // False where there is no bound.
      if (lower > best) best = lower;
    }
  }
  return best;
}

}  // namespace eddy::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace eddy {

HWY_EXPORT(do_screen_rows);
HWY_EXPORT(do_screen_bounds);

void screen_rows(const float* table, std::int64_t size, std::int64_t begin, std::int64_t end,
                 const TableScreen& screen) {
  HWY_DYNAMIC_DISPATCH(do_screen_rows)(table, size, begin, end, screen);
}

float screen_norm(const float* x, std::int64_t size) {
  double squares = 0;
  for (std::int64_t i = 0; i < size; ++i) squares += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  return std::nextafter(static_cast<float>(1.000001 * std::sqrt(squares)), std::numeric_limits<float>::infinity());
}

float screen_bounds(const TableScreen& screen, std::int64_t size, const float* x, float norm, const float* bias,
                    std::int64_t begin, std::int64_t end, float* upper) {
  return HWY_DYNAMIC_DISPATCH(do_screen_bounds)(screen, size, x, norm, bias, begin, end, upper);
}

}  // namespace eddy
#endif
