// SPDX-License-Identifier: Apache-2.0
#include "eddy/core/gemm.h"

#include <algorithm>

#include "eddy/core/error.h"
#include "eddy/core/gemm_blocks.h"
#include "eddy/core/gemm_tiles.h"
#include "eddy/core/number_text.h"
#include "eddy/core/tensor.h"
#include "eddy/core/threads.h"

namespace eddy {
namespace {

/// Below this many multiply-adds per thread a fork costs more than it saves.
constexpr std::int64_t kWorkPerThread = 150'000;
constexpr std::int64_t kVectorWork = 4;
/// With this few rows, or this few elements of B (they stay in a core's cache), B is read where it lies.
constexpr std::int64_t kThinRows = 8;
constexpr std::int64_t kSmallB = 32'768;

std::int64_t divide_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

}  // namespace

GemmConfig GemmConfig::resolved() const {
  GemmConfig c = *this;
  require(c.m >= 0 && c.n >= 0 && c.k >= 0 && c.batch >= 0,
          "gemm sizes must not be negative: m {}, n {}, k {}, batch {}", c.m, c.n, c.k, c.batch);
  const auto resolve = [](const char* name, std::int64_t& ld, std::int64_t width) {
    if (ld == 0) ld = std::max<std::int64_t>(width, 1);
    require(ld >= width, "gemm leading dimension of {} is {}, but its rows hold {} elements", name, ld, width);
  };
  resolve("A", c.lda, c.transpose_a ? c.m : c.k);
  resolve("B", c.ldb, c.transpose_b ? c.k : c.n);
  resolve("C", c.ldc, c.n);
  require(c.stride_a >= 0 && c.stride_b >= 0, "gemm batch strides must not be negative: A {}, B {}", c.stride_a,
          c.stride_b);
  require(c.batch <= 1 || c.m == 0 || c.n == 0 || c.stride_c >= (c.m - 1) * c.ldc + c.n,
          "gemm batch stride of C is {}, but one C spans {}", c.stride_c, counted((c.m - 1) * c.ldc + c.n, "element"));
  return c;
}

std::string to_string(const GemmConfig& c) {
  std::string text = fmt::format("gemm m={} n={} k={}", c.m, c.n, c.k);
  if (c.batch != 1) text += fmt::format(" batch={}", c.batch);
  if (c.transpose_a) text += ", A transposed";
  if (c.transpose_b) text += ", B transposed";
  if (c.accumulate) text += ", accumulated";
  if (c.precision != Precision::highest) text += fmt::format(", {} precision", name_of(c.precision));
  return text;
}

Gemm::Gemm(const GemmConfig& config) : config_(config.resolved()) {
  GemmConfig& c = config_;
  // A dense B of one row or column is both its transpose and itself: it is taken for what is read better.
  if (c.k == 1 && c.transpose_b && c.ldb == 1) {
    c.transpose_b = false;
    c.ldb = c.n;
  } else if (c.n == 1 && !c.transpose_b && c.ldb == 1) {
    c.transpose_b = true;
    c.ldb = c.k;
  }
  if (c.m == 0 || c.n == 0 || c.k == 0 || c.batch == 0) {
    method_ = GemmMethod::trivial;
  } else if (c.n == 1 && c.transpose_b && (c.ldc == 1 || !c.transpose_a)) {
    method_ = GemmMethod::column;
  } else if (c.transpose_b ? c.m <= kGemmDotRows : (c.m <= kThinRows || c.k * c.n <= kSmallB)) {
    method_ = GemmMethod::thin;
  } else if (gemm_tiles_pay(c)) {
    method_ = GemmMethod::tiles;
  }
  if (method_ == GemmMethod::trivial) return;
  const GemmGeometry tile = gemm_geometry(method_);

  // With a vector each element is used once, and waited for.
  const std::int64_t work = c.m * c.n * c.k * c.batch * (c.n == 1 || c.k == 1 ? kVectorWork : 1);
  const auto threads = static_cast<int>(std::clamp<std::int64_t>(work / kWorkPerThread, 1, num_threads()));
  threads_batch_ = static_cast<int>(std::min<std::int64_t>(threads, c.batch));
  // The grid with the least tiles on the busiest thread; each thread packs what it reads, which the second term counts.
  const int rest = threads / threads_batch_;
  double best = 0;
  for (int grid_m = 1; grid_m <= rest; ++grid_m) {
    const int grid_n = rest / grid_m;
    const std::int64_t rows = divide_up(divide_up(c.m, tile.rows), grid_m) * tile.rows;
    const std::int64_t cols = divide_up(divide_up(c.n, tile.cols), grid_n) * tile.cols;
    const double cost = static_cast<double>(rows * cols) + 4.0 * static_cast<double>(cols) +
                        (c.transpose_a ? 4.0 : 1.0) * static_cast<double>(rows);
    if (grid_m == 1 || cost < best) {
      best = cost;
      threads_m_ = grid_m;
      threads_n_ = grid_n;
    }
  }
  if (method_ == GemmMethod::packed || method_ == GemmMethod::tiles) {
    scratch_per_thread_ =
        gemm_scratch_bytes(c, method_, divide_up(c.m, threads_m_) + tile.rows, divide_up(c.n, threads_n_) + tile.cols);
    scratch_bytes_ = scratch_per_thread_ * static_cast<std::size_t>(threads_batch_ * threads_m_ * threads_n_);
  }
}

void Gemm::run(const float* a, const float* b, float* c, const float* bias, void* scratch) const {
  const GemmConfig& config = config_;
  if (config.m == 0 || config.n == 0 || config.batch == 0) return;
  if (!config.has_bias) bias = nullptr;
  const GemmGeometry tile = gemm_geometry(method_);
  const int team = threads_batch_ * threads_m_ * threads_n_;
  // Splits whole tiles, so that only the last part has a ragged edge.
  const auto bound = [](std::int64_t size, int unit, int part, int parts) {
    return std::min<std::int64_t>(size, divide_up(size, unit) * part / parts * unit);
  };
  const auto job = [&](int index) {
    const int part_n = index % threads_n_, part_m = index / threads_n_ % threads_m_,
              part_batch = index / threads_n_ / threads_m_;
    GemmBlock block{};
    block.m_begin = bound(config.m, tile.rows, part_m, threads_m_);
    block.m_end = bound(config.m, tile.rows, part_m + 1, threads_m_);
    block.n_begin = bound(config.n, tile.cols, part_n, threads_n_);
    block.n_end = bound(config.n, tile.cols, part_n + 1, threads_n_);
    if (block.m_begin == block.m_end || block.n_begin == block.n_end) return;
    auto* own_scratch = static_cast<std::byte*>(scratch) + scratch_per_thread_ * static_cast<std::size_t>(index);
    for (std::int64_t i = config.batch * part_batch / threads_batch_;
         i < config.batch * (part_batch + 1) / threads_batch_; ++i) {
      gemm_block(config, method_, block, a + i * config.stride_a, b + i * config.stride_b, c + i * config.stride_c,
                 bias, reinterpret_cast<float*>(own_scratch));
    }
  };
  if (team == 1) {
    job(0);
    return;
  }
  parallel_team(team, [&](int thread, int threads) {
    for (int index = thread; index < team; index += threads) job(index);
  });
}

}  // namespace eddy
