// SPDX-License-Identifier: Apache-2.0
// The register tile shared by the matrix product and the recurrent kernels, compiled once per Highway target.
#if defined(EDDY_CORE_GEMM_KERNEL_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef EDDY_CORE_GEMM_KERNEL_INL_H_
#undef EDDY_CORE_GEMM_KERNEL_INL_H_
#else
#define EDDY_CORE_GEMM_KERNEL_INL_H_
#endif

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "eddy/core/gemm.h"
#include "eddy/core/vector_math-inl.h"

#ifndef EDDY_UNROLL
#ifdef __clang__
#define EDDY_UNROLL _Pragma("clang loop unroll(full)")
#else
#define EDDY_UNROLL _Pragma("GCC unroll 32")
#endif
#endif

HWY_BEFORE_NAMESPACE();
namespace eddy::HWY_NAMESPACE {

constexpr int kLanes = HWY_LANES(float);

// The register tile: 6x4 vectors fill the 32 registers of AVX-512, 6x2 the 16 of AVX2.
constexpr int kTileRows = 6;
constexpr int kTileVecs = HWY_TARGET == HWY_AVX3 ? 4 : 2;
constexpr int kTileCols = kTileVecs * kLanes;

/// Rows of the next tile when `left` remain: as even as possible, so that no tile is left with one row.
HWY_INLINE std::int64_t tile_rows(std::int64_t left) {
  const std::int64_t tiles = (left + kTileRows - 1) / kTileRows;
  return (left + tiles - 1) / tiles;
}

/// The floats of a cache line.
constexpr int kLineFloats = 16;

/// Cache lines that a tile fetches while it computes, one at each step of its depth: what later tiles use.
struct Ahead {
  const float* line = nullptr;
  std::ptrdiff_t step = 0;  ///< floats from one line to the next
  std::int64_t count = 0;   ///< of lines
};

/// `columns` columns of lines, one beside the other, that as many tiles fetch.
struct AheadColumns {
  Ahead first;
  std::int64_t columns = 0;
};

/// What the tile at position `tile` of those that share these columns fetches.
HWY_INLINE Ahead column_of(const AheadColumns& ahead, std::int64_t tile) {
  if (tile >= ahead.columns) return {};
  return {ahead.first.line + tile * kLineFloats, ahead.first.step, ahead.first.count};
}

/// Lanes v*kLanes... of a row; with kMasked only those of `mask` from the last vector.
template <int kVecs, bool kMasked>
HWY_INLINE FloatVec load_part(const float* row, int v, hn::Mask<Floats> mask) {
  const Floats d;
  return kMasked && v == kVecs - 1 ? hn::MaskedLoad(mask, d, row + v * kLanes) : hn::LoadU(d, row + v * kLanes);
}

/// acc[r][v] += sum_k left(r, k) * b[k*b_k + v*kLanes ...] for k from `begin` to `end`. With kFetch each step fetches
/// the next line. With kMasked only the lanes of `mask` are read from the last vector of each row of B.
template <bool kFetch, bool kMasked, int kRows, int kVecs, class Left>
HWY_INLINE void multiply_steps(std::int64_t begin, std::int64_t end, const Left& left, const float* HWY_RESTRICT b,
                               std::ptrdiff_t b_k, hn::Mask<Floats> mask, const Ahead& ahead,
                               FloatVec (&acc)[kRows][kVecs]) {
  const float* line = ahead.line;
  b += begin * b_k;
  for (std::int64_t k = begin; k < end; ++k, b += b_k) {
    if constexpr (kFetch) {
      // To the second-level cache: the first is full of what the tile reads now.
      __builtin_prefetch(line, 0, 2);
      line += ahead.step;
    }
    FloatVec right[kVecs];
    EDDY_UNROLL
    for (int v = 0; v < kVecs; ++v) right[v] = load_part<kVecs, kMasked>(b, v, mask);
    EDDY_UNROLL
    for (int r = 0; r < kRows; ++r) {
      const FloatVec of_row = hn::Set(Floats(), left(r, k));
      EDDY_UNROLL
      for (int v = 0; v < kVecs; ++v) acc[r][v] = hn::MulAdd(of_row, right[v], acc[r][v]);
    }
  }
}

/// All steps: first those that fetch a line, then the rest, where a fetch of nothing would cost 3 % of the speed.
template <bool kMasked, int kRows, int kVecs, class Left>
HWY_INLINE void multiply_all(std::int64_t depth, const Left& left, const float* b, std::ptrdiff_t b_k,
                             hn::Mask<Floats> mask, const Ahead& ahead, FloatVec (&acc)[kRows][kVecs]) {
  const std::int64_t fetched = std::min(depth, ahead.count);
  multiply_steps<true, kMasked>(0, fetched, left, b, b_k, mask, ahead, acc);
  multiply_steps<false, kMasked>(fetched, depth, left, b, b_k, mask, ahead, acc);
}

/// acc[r][v] += sum_k a[r*a_row + k*a_k] * b[k*b_k + v*kLanes ...]
template <int kRows, int kVecs, bool kMasked = false>
HWY_INLINE void multiply_tile(std::int64_t depth, const float* HWY_RESTRICT a, std::ptrdiff_t a_row, std::ptrdiff_t a_k,
                              const float* HWY_RESTRICT b, std::ptrdiff_t b_k, hn::Mask<Floats> mask,
                              const Ahead& ahead, FloatVec (&acc)[kRows][kVecs]) {
  multiply_all<kMasked>(
      depth, [=](int r, std::int64_t k) HWY_ATTR { return a[r * a_row + k * a_k]; }, b, b_k, mask, ahead, acc);
}

/// The same with each row of A anywhere and contiguous.
template <int kRows, int kVecs>
HWY_INLINE void multiply_rows(std::int64_t depth, const float* const* rows, const float* HWY_RESTRICT b,
                              std::ptrdiff_t b_k, const Ahead& ahead, FloatVec (&acc)[kRows][kVecs]) {
  const float* a[kRows];
  EDDY_UNROLL
  for (int r = 0; r < kRows; ++r) a[r] = rows[r];
  const auto all = hn::FirstN(Floats(), static_cast<std::size_t>(kLanes));
  multiply_all<false>(
      depth, [&](int r, std::int64_t k) HWY_ATTR { return a[r][k]; }, b, b_k, all, ahead, acc);
}

template <int kRows, int kVecs>
HWY_INLINE void clear_tile(FloatVec (&acc)[kRows][kVecs]) {
  EDDY_UNROLL
  for (int r = 0; r < kRows; ++r) {
    EDDY_UNROLL
    for (int v = 0; v < kVecs; ++v) acc[r][v] = hn::Zero(Floats());
  }
}

/// out[v*kLanes ...] = finish(acc[v], v), or of its sum with what is there already.
template <bool kMasked, int kVecs, class Finish>
HWY_INLINE void store_row(const FloatVec (&acc)[kVecs], float* out, hn::Mask<Floats> mask, bool accumulate,
                          Finish finish) {
  const Floats d;
  EDDY_UNROLL
  for (int v = 0; v < kVecs; ++v) {
    FloatVec x = acc[v];
    if (accumulate) x = hn::Add(x, load_part<kVecs, kMasked>(out, v, mask));
    x = finish(x, v);
    if (kMasked && v == kVecs - 1) {
      hn::BlendedStore(x, mask, d, out + v * kLanes);
    } else {
      hn::StoreU(x, d, out + v * kLanes);
    }
  }
}

/// The same for the rows of a tile, each with finish(acc[r][v], r, v).
template <bool kMasked, int kRows, int kVecs, class Finish>
HWY_INLINE void store_tile(const FloatVec (&acc)[kRows][kVecs], float* out, std::ptrdiff_t out_row,
                           hn::Mask<Floats> mask, bool accumulate, Finish finish) {
  EDDY_UNROLL
  for (int r = 0; r < kRows; ++r, out += out_row)
    store_row<kMasked>(acc[r], out, mask, accumulate, [&](FloatVec x, int v) HWY_ATTR { return finish(x, r, v); });
}

HWY_INLINE FloatVec activate(Activation activation, FloatVec x) {
  switch (activation) {
    case Activation::none:
      return x;
    case Activation::relu:
      return at_least(0.0F, x);
    case Activation::tanh:
      return tanh_full(x);
    case Activation::sigmoid:
      return sigmoid_full(x);
  }
  return x;
}

/// out[n] = finish(sums[n], n, mask) for `columns` columns, or of its sum with what is there already: what becomes of a
/// row that was computed elsewhere.
template <class Finish>
HWY_INLINE void store_sums(const float* sums, std::int64_t columns, float* out, bool accumulate, const Finish& finish) {
  const Floats d;
  for (std::int64_t n = 0; n < columns; n += kLanes) {
    const auto mask = hn::FirstN(d, static_cast<std::size_t>(columns - n));
    FloatVec x = hn::LoadU(d, sums + n);
    if (accumulate) x = hn::Add(x, hn::MaskedLoad(mask, d, out + n));
    hn::BlendedStore(finish(x, n, mask), mask, d, out + n);
  }
}

/// Asks for rows of a product that will be written.
HWY_INLINE void prefetch_rows(const float* out, std::ptrdiff_t stride, std::int64_t rows, std::int64_t columns) {
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t n = 0; n < columns; n += kLineFloats) __builtin_prefetch(out + r * stride + n, 1);
}

/// pack_panel_transposed() of up to kLineFloats columns.
HWY_INLINE void pack_lines_transposed(const float* b, std::int64_t ldb, std::int64_t depth, std::int64_t cols,
                                      int width, float* panel) {
  std::int64_t col = 0;
#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3
  const hn::FixedTag<float, 4> d4;
  const hn::Repartition<double, decltype(d4)> d2;
  for (; col + 4 <= cols; col += 4) {
    const float* row = b + col * ldb;
    std::int64_t k = 0;
    for (; k + 4 <= depth; k += 4) {
      const auto r0 = hn::LoadU(d4, row + k), r1 = hn::LoadU(d4, row + ldb + k), r2 = hn::LoadU(d4, row + 2 * ldb + k),
                 r3 = hn::LoadU(d4, row + 3 * ldb + k);
      const auto low01 = hn::BitCast(d2, hn::InterleaveLower(d4, r0, r1)),
                 low23 = hn::BitCast(d2, hn::InterleaveLower(d4, r2, r3)),
                 high01 = hn::BitCast(d2, hn::InterleaveUpper(d4, r0, r1)),
                 high23 = hn::BitCast(d2, hn::InterleaveUpper(d4, r2, r3));
      float* out = panel + k * width + col;
      hn::StoreU(hn::BitCast(d4, hn::InterleaveLower(d2, low01, low23)), d4, out);
      hn::StoreU(hn::BitCast(d4, hn::InterleaveUpper(d2, low01, low23)), d4, out + width);
      hn::StoreU(hn::BitCast(d4, hn::InterleaveLower(d2, high01, high23)), d4, out + 2 * width);
      hn::StoreU(hn::BitCast(d4, hn::InterleaveUpper(d2, high01, high23)), d4, out + 3 * width);
    }
    for (; k < depth; ++k)
      for (int i = 0; i < 4; ++i) panel[k * width + col + i] = row[i * ldb + k];
  }
#endif
  for (; col < cols; ++col)
    for (std::int64_t k = 0; k < depth; ++k) panel[k * width + col] = b[col * ldb + k];
  for (; col < width; ++col)
    for (std::int64_t k = 0; k < depth; ++k) panel[k * width + col] = 0.0F;
}

/// Copies the first `depth` columns of `cols` rows of b into panel[k][width], zero-padded: the rows of a transposed B
/// are the columns of a panel.
HWY_INLINE void pack_panel_transposed(const float* b, std::int64_t ldb, std::int64_t depth, std::int64_t cols,
                                      int width, float* panel) {
  // A line of each row at a time, which becomes whole lines of the panel.
  for (std::int64_t k0 = 0; k0 < depth; k0 += kLineFloats)
    pack_lines_transposed(b + k0, ldb, std::min<std::int64_t>(depth - k0, kLineFloats), cols, width,
                          panel + k0 * width);
}

}  // namespace eddy::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
