// SPDX-License-Identifier: Apache-2.0
#include "eddy/core/gemm_blocks.h"

#include "eddy/core/gemm_tiles.h"
#include "eddy/core/rounding.h"
#include "eddy/core/simd_targets.h"
#include "eddy/core/tile_product.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "eddy/core/gemm_blocks.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// clang-format off
#include "eddy/core/gemm_kernel-inl.h"
// clang-format on

#include <algorithm>
#include <cstring>

HWY_BEFORE_NAMESPACE();
namespace eddy::HWY_NAMESPACE {
namespace {

// A block of kRowBlock rows and one panel of B share the second-level cache; a block of kColBlock columns of B the
// third.
constexpr std::int64_t kDepthBlock = 512;
/// Rows of a transposed A are packed too: shorter passes leave both in the cache.
constexpr std::int64_t kTransposedDepthBlock = 320;
constexpr std::int64_t kRowBlock = 96;
constexpr std::int64_t kColBlock = 2048;
constexpr std::int64_t kRowsAhead = 16;
/// Lines of one row of a panel.
constexpr int kPanelLines = (kTileCols + kLineFloats - 1) / kLineFloats;

/// Depth of one pass: equal passes. Depends on the product alone, so that sums do not depend on threads.
std::int64_t depth_of_pass(const GemmConfig& config) {
  const std::int64_t most = config.transpose_a ? kTransposedDepthBlock : kDepthBlock;
  const std::int64_t passes = std::max<std::int64_t>((config.k + most - 1) / most, 1);
  return round_up((config.k + passes - 1) / passes, 8);
}

/// What becomes of a finished tile.
struct TileJob {
  std::int64_t depth;
  const float* a;
  std::ptrdiff_t a_row, a_k;
  const float* b;
  std::ptrdiff_t b_k;
  float* packed_b;  ///< where the tile leaves its columns of B for the next ones, or null
  float* c;
  std::ptrdiff_t ldc;
  const float* bias;  ///< at the tile's first column, or null
  int last_lanes;     ///< valid lanes of the last vector
  Ahead ahead;
  bool load_c;
  Activation activation;
};

/// The product of a tile that reads B where it lies and packs it, zero-padded: the stores cost nothing beside it.
template <int kRows, int kVecs, bool kMasked>
HWY_INLINE void multiply_and_pack(const TileJob& job, hn::Mask<Floats> mask, FloatVec (&acc)[kRows][kVecs]) {
  const Floats d;
  const float *HWY_RESTRICT a = job.a, *HWY_RESTRICT b = job.b;
  float* HWY_RESTRICT packed = job.packed_b;
  for (std::int64_t k = 0; k < job.depth; ++k, a += job.a_k, b += job.b_k, packed += kVecs * kLanes) {
    FloatVec right[kVecs];
    EDDY_UNROLL
    for (int v = 0; v < kVecs; ++v) {
      // Rows are often pages apart, beyond the reach of the processor's own prefetching.
      __builtin_prefetch(b + kRowsAhead * job.b_k + v * kLanes);
      right[v] = load_part<kVecs, kMasked>(b, v, mask);
      hn::StoreU(right[v], d, packed + v * kLanes);
    }
    EDDY_UNROLL
    for (int r = 0; r < kRows; ++r) {
      const FloatVec left = hn::Set(d, a[r * job.a_row]);
      EDDY_UNROLL
      for (int v = 0; v < kVecs; ++v) acc[r][v] = hn::MulAdd(left, right[v], acc[r][v]);
    }
  }
}

template <int kRows, int kVecs, bool kMasked>
HWY_NOINLINE void compute_tile(const TileJob& job) {
  const Floats d;
  const auto mask = hn::FirstN(d, static_cast<std::size_t>(job.last_lanes));
  FloatVec acc[kRows][kVecs];
  clear_tile<kRows, kVecs>(acc);
  if (job.packed_b != nullptr) {
    multiply_and_pack<kRows, kVecs, kMasked>(job, mask, acc);
  } else {
    multiply_tile<kRows, kVecs, kMasked>(job.depth, job.a, job.a_row, job.a_k, job.b, job.b_k, mask, job.ahead, acc);
  }
  store_tile<kMasked>(acc, job.c, job.ldc, mask, job.load_c, [&](FloatVec x, int, int v) HWY_ATTR {
    if (job.bias != nullptr) x = hn::Add(x, load_part<kVecs, kMasked>(job.bias, v, mask));
    return job.activation == Activation::none ? x : activate(job.activation, x);
  });
}

using TileFunction = void (*)(const TileJob&);

template <int kVecs, bool kMasked>
TileFunction pick_rows(std::int64_t rows) {
  static constexpr TileFunction kTable[kTileRows] = {compute_tile<1, kVecs, kMasked>, compute_tile<2, kVecs, kMasked>,
                                                     compute_tile<3, kVecs, kMasked>, compute_tile<4, kVecs, kMasked>,
                                                     compute_tile<5, kVecs, kMasked>, compute_tile<6, kVecs, kMasked>};
  return kTable[rows - 1];
}

TileFunction pick_tile(std::int64_t rows, int vecs, bool masked) {
  switch (vecs) {
    case 1:
      return masked ? pick_rows<1, true>(rows) : pick_rows<1, false>(rows);
#if HWY_TARGET == HWY_AVX3
    case 2:
      return masked ? pick_rows<2, true>(rows) : pick_rows<2, false>(rows);
    case 3:
      return masked ? pick_rows<3, true>(rows) : pick_rows<3, false>(rows);
#endif
    default:
      return masked ? pick_rows<kTileVecs, true>(rows) : pick_rows<kTileVecs, false>(rows);
  }
}

struct Panel {
  int vecs;
  int last_lanes;
  bool masked() const { return last_lanes != kLanes; }
};

/// Vectors of the panel that starts with `left` columns to go.
Panel panel_of(std::int64_t left) {
  const auto cols = static_cast<int>(std::min<std::int64_t>(left, kTileCols));
  const int vecs = (cols + kLanes - 1) / kLanes;
  return {vecs, cols - (vecs - 1) * kLanes};
}

/// Copies B[k0.., n0 .. n0+cols) into panel[k][width], zero-padded.
void pack_panel(const float* b, std::int64_t ldb, std::int64_t depth, std::int64_t cols, int width, float* panel) {
  const Floats d;
  if (cols == width) {
    for (std::int64_t k = 0; k < depth; ++k, b += ldb, panel += width) {
      // Rows are often pages apart, beyond the reach of the processor's own prefetching.
      for (int i = 0; i < width; i += kLanes) __builtin_prefetch(b + kRowsAhead * ldb + i);
      for (int i = 0; i < width; i += kLanes) hn::StoreU(hn::LoadU(d, b + i), d, panel + i);
    }
    return;
  }
  for (std::int64_t k = 0; k < depth; ++k, b += ldb, panel += width) {
    std::copy(b, b + cols, panel);
    std::fill(panel + cols, panel + width, 0.0F);
  }
}

/// Copies `rows` columns of a transposed A into one panel[k][tile rows] per tile, along the rows of A: their stride is
/// often a power of two, and a walk down the columns would lose every cache line before its second use.
void pack_rows_transposed(const float* a, std::int64_t lda, std::int64_t depth, std::int64_t rows, float* packed) {
  std::int64_t heights[kRowBlock];
  int tiles = 0;
  for (std::int64_t m = 0; m < rows; m += heights[tiles++]) heights[tiles] = tile_rows(rows - m);
  for (std::int64_t k = 0; k < depth; ++k, a += lda) {
    for (std::int64_t m = 0; m < rows; m += kLineFloats) __builtin_prefetch(a + kRowsAhead * lda + m);
    const float* from = a;
    float* panel = packed;
    for (int tile = 0; tile < tiles; ++tile) {
      const std::int64_t count = heights[tile];
      float* to = panel + k * count;
      if (count == kTileRows) {
        std::memcpy(to, from, kTileRows * sizeof(float));
      } else {
        for (std::int64_t r = 0; r < count; ++r) to[r] = from[r];
      }
      from += count;
      panel += depth * count;
    }
  }
}

/// What the tiles of one panel fetch for what comes after it: the next panel, where its product goes, and the next rows
/// to be packed.
struct AheadOfPanel {
  AheadColumns panel, product, rows;

  Ahead of_tile(std::int64_t tile) const {
    if (tile < kPanelLines) return column_of(panel, tile);
    if (tile < 2 * kPanelLines) return column_of(product, tile - kPanelLines);
    return column_of(rows, tile - 2 * kPanelLines);
  }
};

/// One pass over a depth of the product, for the rows of a block and `cols` columns from n0 on. Panels are packed by
/// the tile that needs them first and kept for the others.
class PackedPass {
 public:
  PackedPass(const GemmConfig& config, const GemmBlock& block, const float* a, const float* b, float* c,
             std::int64_t n0, std::int64_t cols, std::int64_t k0, std::int64_t pass, float* packed_b, float* packed_a)
      : config_(config),
        block_(block),
        a_(config.transpose_a ? a + k0 * config.lda : a + k0),
        b_(config.transpose_b ? b + n0 * config.ldb + k0 : b + k0 * config.ldb + n0),
        c_(c + n0),
        cols_(cols),
        pass_(pass),
        // A transposed A is packed as well, and both would wait for memory.
        tiles_pack_(!config.transpose_a && !config.transpose_b),
        packed_b_(packed_b),
        packed_a_(packed_a) {
    const bool last = k0 + pass >= config.k;
    job_.depth = std::min(pass, config.k - k0);
    job_.ldc = config.ldc;
    job_.load_c = config.accumulate || k0 > 0;
    job_.activation = last ? config.activation : Activation::none;
  }

  /// `bias` at n0, or null.
  void run(const float* bias) {
    for (std::int64_t m0 = block_.m_begin; m0 < block_.m_end; m0 += kRowBlock) {
      const std::int64_t m1 = std::min(m0 + kRowBlock, block_.m_end);
      if (config_.transpose_a) pack_rows_transposed(a_ + m0, config_.lda, job_.depth, m1 - m0, packed_a_);
      for (std::int64_t n = 0; n < cols_; n += kTileCols) {
        if (m0 == block_.m_begin && !tiles_pack_) pack(n);
        job_.bias = bias != nullptr ? bias + n : nullptr;
        multiply(n, m0, m1);
      }
    }
  }

 private:
  float* panel_at(std::int64_t n) const { return packed_b_ + n * pass_; }

  void pack(std::int64_t n) const {
    const std::int64_t cols = std::min<std::int64_t>(kTileCols, cols_ - n);
    const int width = panel_of(cols).vecs * kLanes;
    if (config_.transpose_b) {
      pack_panel_transposed(b_ + n * config_.ldb, config_.ldb, job_.depth, cols, width, panel_at(n));
    } else {
      pack_panel(b_ + n, config_.ldb, job_.depth, cols, width, panel_at(n));
    }
  }

  AheadOfPanel ahead_of(std::int64_t n, std::int64_t m0, std::int64_t m1) const {
    const bool first_rows = m0 == block_.m_begin, last_rows = m1 == block_.m_end, last_panel = n + kTileCols >= cols_;
    AheadOfPanel ahead;
    if (last_panel && last_rows) return ahead;
    const std::int64_t next = last_panel ? 0 : n + kTileCols;
    if (last_panel || !first_rows) {
      ahead.panel = {{panel_at(next), kTileCols, job_.depth}, kPanelLines};
    } else if (!config_.transpose_b) {
      // Still to be packed.
      ahead.panel = {{b_ + next, config_.ldb, job_.depth}, kPanelLines};
    }
    const std::int64_t row = last_panel ? m1 : m0, end = last_panel ? std::min(m1 + kRowBlock, block_.m_end) : m1;
    ahead.product = {{c_ + row * config_.ldc + next, config_.ldc, end - row}, kPanelLines};
    if (last_panel && config_.transpose_a) ahead.rows = {{a_ + m1, config_.lda, job_.depth}, kRowBlock / kLineFloats};
    return ahead;
  }

  void multiply(std::int64_t n, std::int64_t m0, std::int64_t m1) {
    const Panel panel = panel_of(cols_ - n);
    const AheadOfPanel ahead = ahead_of(n, m0, m1);
    job_.last_lanes = panel.last_lanes;
    std::int64_t tile = 0;
    for (std::int64_t m = m0; m < m1; ++tile) {
      const bool packs = tiles_pack_ && m == block_.m_begin;
      job_.packed_b = packs ? panel_at(n) : nullptr;
      job_.b = packs ? b_ + n : panel_at(n);
      job_.b_k = packs ? config_.ldb : panel.vecs * kLanes;
      const std::int64_t rows = tile_rows(m1 - m);
      job_.a = config_.transpose_a ? packed_a_ + (m - m0) * job_.depth : a_ + m * config_.lda;
      job_.a_row = config_.transpose_a ? 1 : config_.lda;
      job_.a_k = config_.transpose_a ? rows : 1;
      job_.c = c_ + m * config_.ldc + n;
      job_.ahead = ahead.of_tile(tile);
      pick_tile(rows, panel.vecs, panel.masked())(job_);
      m += rows;
    }
  }

  const GemmConfig& config_;
  const GemmBlock& block_;
  const float *a_, *b_;  ///< at this pass's depth; B also at n0
  float* c_;             ///< at n0
  std::int64_t cols_, pass_;
  bool tiles_pack_;  ///< the first tiles pack B, not pack()
  float *packed_b_, *packed_a_;
  TileJob job_{};
};

void gemm_packed(const GemmConfig& config, const GemmBlock& block, const float* a, const float* b, float* c,
                 const float* bias, float* scratch) {
  const std::int64_t pass = depth_of_pass(config);
  float* packed_a = scratch + pass * round_up(std::min(kColBlock, block.n_end - block.n_begin), kTileCols);
  for (std::int64_t n0 = block.n_begin; n0 < block.n_end; n0 += kColBlock) {
    const std::int64_t cols = std::min(kColBlock, block.n_end - n0);
    for (std::int64_t k0 = 0; k0 < config.k; k0 += pass) {
      const bool last = k0 + pass >= config.k;
      PackedPass(config, block, a, b, c, n0, cols, k0, pass, scratch, packed_a)
          .run(last && bias != nullptr ? bias + n0 : nullptr);
    }
  }
}

/// B read in place.
void gemm_in_place(const GemmConfig& config, const GemmBlock& block, const float* a, const float* b, float* c,
                   const float* bias) {
  TileJob job{};
  job.a_row = config.transpose_a ? 1 : config.lda;
  job.a_k = config.transpose_a ? config.lda : 1;
  job.b_k = config.ldb;
  job.ldc = config.ldc;
  for (std::int64_t n = block.n_begin; n < block.n_end; n += kTileCols) {
    const Panel panel = panel_of(block.n_end - n);
    job.last_lanes = panel.last_lanes;
    for (std::int64_t m = block.m_begin; m < block.m_end;) {
      const std::int64_t rows = tile_rows(block.m_end - m);
      job.c = c + m * config.ldc + n;
      // In passes, so that long sums stay accurate; one at least, for the bias.
      for (std::int64_t k0 = 0; k0 == 0 || k0 < config.k; k0 += kDepthBlock) {
        const bool last = k0 + kDepthBlock >= config.k;
        job.depth = std::min(kDepthBlock, config.k - k0);
        job.load_c = config.accumulate || k0 > 0;
        job.bias = last && bias != nullptr ? bias + n : nullptr;
        job.activation = last ? config.activation : Activation::none;
        job.a = a + m * job.a_row + k0 * job.a_k;
        job.b = b + n + k0 * job.b_k;
        pick_tile(rows, panel.vecs, panel.masked())(job);
      }
      m += rows;
    }
  }
}

/// kRows rows from `m` on against a transposed B: dot products of contiguous rows, a few columns at a time.
template <int kRows>
void dot_rows(const GemmConfig& config, const GemmBlock& block, std::int64_t m, const float* a, const float* b,
              float* c, const float* bias) {
  const Floats d;
  constexpr int kCols = HWY_TARGET == HWY_AVX3 || kRows <= 2 ? 4 : 2;
  const std::ptrdiff_t a_row = config.transpose_a ? 1 : config.lda, a_k = config.transpose_a ? config.lda : 1;
  // What is not contiguous is added up one by one.
  const std::int64_t in_vectors = a_k == 1 ? config.k : 0;
  a += m * a_row;
  c += m * config.ldc;
  for (std::int64_t n = block.n_begin; n < block.n_end; n += kCols) {
    const auto cols = static_cast<int>(std::min<std::int64_t>(kCols, block.n_end - n));
    // Missing columns repeat the last one: no branch in the loop, no read outside B.
    const float* rights[kCols];
    for (int j = 0; j < kCols; ++j) rights[j] = b + (n + std::min(j, cols - 1)) * config.ldb;
    float sums[kRows][kCols] = {};
    // In passes, so that long sums stay accurate.
    for (std::int64_t k0 = 0; k0 < in_vectors; k0 += kDepthBlock * kLanes) {
      FloatVec acc[kRows][kCols];
      clear_tile<kRows, kCols>(acc);
      const std::int64_t end = std::min(k0 + kDepthBlock * kLanes, in_vectors);
      std::int64_t k = k0;
      for (; k + kLanes <= end; k += kLanes) {
        FloatVec right[kCols];
        EDDY_UNROLL
        for (int j = 0; j < kCols; ++j) right[j] = hn::LoadU(d, rights[j] + k);
        EDDY_UNROLL
        for (int r = 0; r < kRows; ++r) {
          const FloatVec left = hn::LoadU(d, a + r * a_row + k);
          EDDY_UNROLL
          for (int j = 0; j < kCols; ++j) acc[r][j] = hn::MulAdd(left, right[j], acc[r][j]);
        }
      }
      if (k < end) {
        // Not element by element: a compiler vectorises that otherwise for other kRows, and rounds otherwise.
        const auto mask = hn::FirstN(d, static_cast<std::size_t>(end - k));
        EDDY_UNROLL
        for (int r = 0; r < kRows; ++r) {
          const FloatVec left = hn::MaskedLoad(mask, d, a + r * a_row + k);
          EDDY_UNROLL
          for (int j = 0; j < kCols; ++j)
            acc[r][j] = hn::MulAdd(left, hn::MaskedLoad(mask, d, rights[j] + k), acc[r][j]);
        }
      }
      EDDY_UNROLL
      for (int r = 0; r < kRows; ++r) {
        EDDY_UNROLL
        for (int j = 0; j < kCols; ++j) sums[r][j] += hn::GetLane(hn::SumOfLanes(d, acc[r][j]));
      }
    }
    for (int r = 0; r < kRows; ++r) {
      for (int j = 0; j < cols; ++j) {
        float sum = sums[r][j];
        for (std::int64_t k0 = in_vectors; k0 < config.k; k0 += kDepthBlock) {
          float part = 0;
          for (std::int64_t k = k0; k < std::min(k0 + kDepthBlock, config.k); ++k)
            part += a[r * a_row + k * a_k] * rights[j][k];
          sum += part;
        }
        float& out = c[r * config.ldc + n + j];
        const float x = sum + (config.accumulate ? out : 0.0F) + (bias != nullptr ? bias[n + j] : 0.0F);
        out = config.activation == Activation::none ? x : hn::GetLane(activate(config.activation, hn::Set(d, x)));
      }
    }
  }
}

/// Few rows against a transposed B.
void gemm_dots(const GemmConfig& config, const GemmBlock& block, const float* a, const float* b, float* c,
               const float* bias) {
  static_assert(kGemmDotRows == 4);
  std::int64_t m = block.m_begin;
  for (; m + 4 <= block.m_end; m += 4) dot_rows<4>(config, block, m, a, b, c, bias);
  const std::int64_t left = block.m_end - m;
  if (left == 3) dot_rows<3>(config, block, m, a, b, c, bias);
  if (left == 2) dot_rows<2>(config, block, m, a, b, c, bias);
  if (left == 1) dot_rows<1>(config, block, m, a, b, c, bias);
}

/// What becomes of a sum of a single-column product.
HWY_INLINE void finish_column(const GemmConfig& config, FloatVec sum, const float* bias, hn::Mask<Floats> mask,
                              float* c) {
  const Floats d;
  if (config.accumulate) sum = hn::Add(sum, hn::MaskedLoad(mask, d, c));
  if (bias != nullptr) sum = hn::Add(sum, splat(*bias));
  if (config.activation != Activation::none) sum = activate(config.activation, sum);
  hn::BlendedStore(sum, mask, d, c);
}

/// c[m .. m + kVecs*kLanes) of a transposed A: sums down its columns, of which `mask` has those of the last vector.
template <int kVecs>
void sum_columns(const GemmConfig& config, const float* a, const float* b, float* c, const float* bias,
                 hn::Mask<Floats> mask) {
  const Floats d;
  FloatVec total[kVecs];
  EDDY_UNROLL
  for (int v = 0; v < kVecs; ++v) total[v] = hn::Zero(d);
  // In passes, so that long sums stay accurate.
  for (std::int64_t k0 = 0; k0 < config.k; k0 += kDepthBlock) {
    FloatVec acc[kVecs];
    EDDY_UNROLL
    for (int v = 0; v < kVecs; ++v) acc[v] = hn::Zero(d);
    for (std::int64_t k = k0; k < std::min(k0 + kDepthBlock, config.k); ++k) {
      const float* row = a + k * config.lda;
      const FloatVec right = splat(b[k]);
      EDDY_UNROLL
      for (int v = 0; v < kVecs; ++v)
        acc[v] = hn::MulAdd(
            right, v < kVecs - 1 ? hn::LoadU(d, row + v * kLanes) : hn::MaskedLoad(mask, d, row + v * kLanes), acc[v]);
    }
    EDDY_UNROLL
    for (int v = 0; v < kVecs; ++v) total[v] = hn::Add(total[v], acc[v]);
  }
  const auto all = hn::FirstN(d, static_cast<std::size_t>(kLanes));
  EDDY_UNROLL
  for (int v = 0; v < kVecs; ++v) finish_column(config, total[v], bias, v < kVecs - 1 ? all : mask, c + v * kLanes);
}

/// A times a vector, whose elements are neighbours.
void gemm_column(const GemmConfig& config, const GemmBlock& block, const float* a, const float* b, float* c,
                 const float* bias) {
  const Floats d;
  const auto first_lanes = [&](std::int64_t count) {
    return hn::FirstN(d, static_cast<std::size_t>(std::min<std::int64_t>(count, kLanes)));
  };
  std::int64_t m = block.m_begin;
  if (config.transpose_a) {
    constexpr int kVecs = 8;
    for (; m + kVecs * kLanes <= block.m_end; m += kVecs * kLanes)
      sum_columns<kVecs>(config, a + m, b, c + m, bias, first_lanes(kLanes));
    for (; m < block.m_end; m += kLanes) sum_columns<1>(config, a + m, b, c + m, bias, first_lanes(block.m_end - m));
    return;
  }
  constexpr int kRows = 4;
  const std::int64_t whole = config.k / kLanes * kLanes;
  const auto last = first_lanes(config.k - whole);
  for (; m < block.m_end; m += kRows) {
    FloatVec sums[kRows];
    const float* rows[kRows];
    EDDY_UNROLL
    for (int r = 0; r < kRows; ++r) {
      // Missing rows repeat the last one.
      rows[r] = a + std::min<std::int64_t>(m + r, block.m_end - 1) * config.lda;
      sums[r] = hn::Zero(d);
    }
    for (std::int64_t k0 = 0; k0 < whole; k0 += kDepthBlock * kLanes) {
      FloatVec acc[kRows];
      EDDY_UNROLL
      for (int r = 0; r < kRows; ++r) acc[r] = hn::Zero(d);
      for (std::int64_t k = k0; k < std::min(k0 + kDepthBlock * kLanes, whole); k += kLanes) {
        const FloatVec right = hn::LoadU(d, b + k);
        EDDY_UNROLL
        for (int r = 0; r < kRows; ++r) acc[r] = hn::MulAdd(hn::LoadU(d, rows[r] + k), right, acc[r]);
      }
      EDDY_UNROLL
      for (int r = 0; r < kRows; ++r) sums[r] = hn::Add(sums[r], acc[r]);
    }
    if (whole < config.k) {
      const FloatVec right = hn::MaskedLoad(last, d, b + whole);
      EDDY_UNROLL
      for (int r = 0; r < kRows; ++r) sums[r] = hn::MulAdd(hn::MaskedLoad(last, d, rows[r] + whole), right, sums[r]);
    }
    for (std::int64_t r = 0; r < std::min<std::int64_t>(kRows, block.m_end - m); ++r)
      finish_column(config, hn::SumOfLanes(d, sums[r]), bias, first_lanes(1), c + (m + r) * config.ldc);
  }
}

}  // namespace

GemmGeometry geometry() { return {kTileRows, kTileCols}; }

std::size_t scratch_bytes(const GemmConfig& config, std::int64_t rows, std::int64_t cols) {
  const std::int64_t pass = depth_of_pass(config);
  std::int64_t floats = pass * round_up(std::min(kColBlock, cols), kTileCols);
  if (config.transpose_a) floats += pass * std::min(kRowBlock, rows);
  return static_cast<std::size_t>(round_up(floats, 16)) * sizeof(float);
}

void block_product(const GemmConfig& config, GemmMethod method, const GemmBlock& block, const float* a, const float* b,
                   float* c, const float* bias, float* scratch) {
  if (method == GemmMethod::packed) {
    gemm_packed(config, block, a, b, c, bias, scratch);
  } else if (method == GemmMethod::column) {
    gemm_column(config, block, a, b, c, bias);
  } else if (method == GemmMethod::thin && config.transpose_b) {
    gemm_dots(config, block, a, b, c, bias);
  } else {
    // No terms leave a tile of zeros, whatever the layout.
    gemm_in_place(config, block, a, b, c, bias);
  }
}

}  // namespace eddy::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace eddy {

HWY_EXPORT(geometry);
HWY_EXPORT(scratch_bytes);
HWY_EXPORT(block_product);

GemmGeometry gemm_geometry(GemmMethod method) {
  if (method == GemmMethod::tiles) return {tiles::kRows, tiles::kCols};
  return HWY_DYNAMIC_DISPATCH(geometry)();
}

std::size_t gemm_scratch_bytes(const GemmConfig& config, GemmMethod method, std::int64_t rows, std::int64_t cols) {
  if (method == GemmMethod::tiles) return gemm_tiles_scratch_bytes(config, rows, cols);
  return HWY_DYNAMIC_DISPATCH(scratch_bytes)(config, rows, cols);
}

void gemm_block(const GemmConfig& config, GemmMethod method, const GemmBlock& block, const float* a, const float* b,
                float* c, const float* bias, float* scratch) {
  if (method == GemmMethod::tiles) return gemm_tiles(config, block, a, b, c, bias, scratch);
  HWY_DYNAMIC_DISPATCH(block_product)(config, method, block, a, b, c, bias, scratch);
}

}  // namespace eddy
#endif
