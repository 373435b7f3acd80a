// SPDX-License-Identifier: Apache-2.0
#include "eddy/core/gemm_tiles.h"

#include "eddy/core/rounding.h"
#include "eddy/core/simd_targets.h"
#include "eddy/core/tile_product.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "eddy/core/gemm_tiles.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// clang-format off
#include "eddy/core/gemm_kernel-inl.h"
// clang-format on

#include <algorithm>

HWY_BEFORE_NAMESPACE();
namespace eddy::HWY_NAMESPACE {
namespace {

// A block of rows stays in the second-level cache while a block of columns passes by it.
constexpr std::int64_t kDepthBlock = 512;
constexpr std::int64_t kRowBlock = 8 * tiles::kRows;
constexpr std::int64_t kColBlock = 1024;

/// Depth of one pass: equal passes. Depends on the product alone, so that sums do not depend on threads.
std::int64_t depth_of_pass(const GemmConfig& config) {
  const std::int64_t passes = (config.k + kDepthBlock - 1) / kDepthBlock;
  return round_up((config.k + passes - 1) / passes, tiles::kTerms);
}

/// One pass over a depth of the product.
class TiledPass {
 public:
  TiledPass(const GemmConfig& config, const float* bias, std::int64_t k0, std::int64_t pass)
      : config_(config),
        depth_(std::min(pass, config.k - k0)),
        accumulate_(config.accumulate || k0 > 0),
        activation_(k0 + pass >= config.k ? config.activation : Activation::none),
        bias_(k0 + pass >= config.k ? bias : nullptr) {}

  /// Pointers are those of the whole operands at the pass's depth.
  void run(const GemmBlock& block, const float* a, const float* b, float* c, float* packed_b, float* packed_a) const {
    for (std::int64_t m0 = block.m_begin; m0 < block.m_end; m0 += kRowBlock) {
      const std::int64_t rows = std::min(kRowBlock, block.m_end - m0);
      tiles::pack(tiles::Side::left,
                  {config_.transpose_a ? a + m0 : a + m0 * config_.lda, config_.lda, config_.transpose_a}, rows, depth_,
                  parts_, packed_a);
      for (std::int64_t n = block.n_begin; n < block.n_end; n += tiles::kCols) {
        const std::int64_t cols = std::min(tiles::kCols, block.n_end - n);
        float* panel = packed_b + tiles::packed_floats(n - block.n_begin, depth_, parts_);
        if (m0 == block.m_begin)
          tiles::pack(tiles::Side::right,
                      {config_.transpose_b ? b + n * config_.ldb : b + n, config_.ldb, !config_.transpose_b}, cols,
                      depth_, parts_, panel);
        // Panels follow each other; all but the first rows find them packed.
        const std::int64_t next = m0 == block.m_begin || n + cols >= block.n_end ? 0 : panel_floats();
        multiply(packed_a, rows, panel, cols, next, c + m0 * config_.ldc + n, bias_ == nullptr ? nullptr : bias_ + n);
      }
    }
  }

 private:
  std::int64_t panel_floats() const { return tiles::packed_floats(tiles::kCols, depth_, parts_); }

  void multiply(const float* left, std::int64_t rows, const float* panel, std::int64_t cols, std::int64_t next,
                float* c, const float* bias) const {
    tiles::multiply_row_blocks(
        {left, rows, panel, tiles::packed_floats(tiles::kGroup, depth_, parts_), cols, depth_, parts_},
        {panel + panel_floats(), next}, [](std::int64_t, std::int64_t) {},
        [&](std::int64_t first, std::int64_t count, const float* sums) HWY_ATTR {
          for (std::int64_t row = first; row < first + count; ++row, sums += tiles::kCols)
            finish_row(sums, cols, c + row * config_.ldc, bias);
        });
  }

  HWY_INLINE void finish_row(const float* sums, std::int64_t cols, float* c, const float* bias) const {
    store_sums(sums, cols, c, accumulate_, [&](FloatVec x, std::int64_t n, hn::Mask<Floats> mask) HWY_ATTR {
      if (bias != nullptr) x = hn::Add(x, hn::MaskedLoad(mask, Floats(), bias + n));
      return activation_ == Activation::none ? x : activate(activation_, x);
    });
  }

  const GemmConfig& config_;
  int parts_ = tiles::parts_of(config_.precision);
  std::int64_t depth_;
  bool accumulate_;
  Activation activation_;
  const float* bias_;
};

}  // namespace

std::size_t tiled_scratch_bytes(const GemmConfig& config, std::int64_t rows, std::int64_t cols) {
  const std::int64_t pass = depth_of_pass(config);
  const int parts = tiles::parts_of(config.precision);
  return static_cast<std::size_t>(tiles::packed_floats(std::min(kColBlock, cols), pass, parts) +
                                  tiles::packed_floats(std::min(kRowBlock, rows), pass, parts)) *
         sizeof(float);
}

void tiled_block(const GemmConfig& config, const GemmBlock& block, const float* a, const float* b, float* c,
                 const float* bias, float* scratch) {
  const tiles::Use use;
  const std::int64_t pass = depth_of_pass(config);
  const int parts = tiles::parts_of(config.precision);
  for (std::int64_t n0 = block.n_begin; n0 < block.n_end; n0 += kColBlock) {
    const GemmBlock part{block.m_begin, block.m_end, n0, std::min(n0 + kColBlock, block.n_end)};
    float* packed_a = scratch + tiles::packed_floats(part.n_end - part.n_begin, pass, parts);
    for (std::int64_t k0 = 0; k0 < config.k; k0 += pass)
      TiledPass(config, bias, k0, pass)
          .run(part, config.transpose_a ? a + k0 * config.lda : a + k0,
               config.transpose_b ? b + k0 : b + k0 * config.ldb, c, scratch, packed_a);
  }
}

}  // namespace eddy::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace eddy {

HWY_EXPORT(tiled_scratch_bytes);
HWY_EXPORT(tiled_block);

bool gemm_tiles_pay(const GemmConfig& config) {
  if (!tiles::available() || config.k < 4 * tiles::kTerms) return false;
  // How often a split number is used, on average; measured with three parts. Where nothing is transposed, the other way
  // packs nearly for nothing.
  const std::int64_t uses = config.m * config.n / (config.m + config.n);
  return uses >= (config.transpose_a || config.transpose_b ? 48 : 80);
}

std::size_t gemm_tiles_scratch_bytes(const GemmConfig& config, std::int64_t rows, std::int64_t cols) {
  return HWY_DYNAMIC_DISPATCH(tiled_scratch_bytes)(config, rows, cols);
}

void gemm_tiles(const GemmConfig& config, const GemmBlock& block, const float* a, const float* b, float* c,
                const float* bias, float* scratch) {
  HWY_DYNAMIC_DISPATCH(tiled_block)(config, block, a, b, c, bias, scratch);
}

}  // namespace eddy
#endif
