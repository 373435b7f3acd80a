// SPDX-License-Identifier: Apache-2.0
#include "eddy/core/packed_product.h"

#include <algorithm>
#include <array>

#include "eddy/core/error.h"
#include "eddy/core/gemm_blocks.h"
#include "eddy/core/rnn_steps.h"
#include "eddy/core/rounding.h"
#include "eddy/core/tensor.h"
#include "eddy/core/threads.h"

namespace eddy {
namespace {

/// Below this many multiply-adds per thread a fork costs more than it saves.
constexpr std::int64_t kWorkPerThread = 100'000;
/// Elements of a B that does not stay in a second-level cache.
constexpr std::int64_t kBeyondCache = 500'000;
/// Row lists are made on the stack, a block at a time.
constexpr std::int64_t kRowBlock = 64;

/// Columns of one thread, in whole panels.
UnitRange columns_of(const RnnSteps& steps, std::int64_t n, int thread, int team) {
  const std::int64_t unit = steps.geometry.unit;
  const std::int64_t panels = (n + unit - 1) / unit;
  return {std::min(panels * thread / team * unit, n), std::min(panels * (thread + 1) / team * unit, n)};
}

template <class Body>
void in_team(int threads, const Body& body) {
  if (threads <= 1) {
    body(0, 1);
  } else {
    parallel_team(threads, body);
  }
}

}  // namespace

PackedProduct::PackedProduct(std::int64_t m, std::int64_t n, std::int64_t k, bool transpose_b)
    : m_(m), n_(n), k_(k), transpose_b_(transpose_b), parts_(rnn_tile_parts(m, k)), steps_(rnn_steps(parts_)) {
  require(m >= 0 && n >= 0 && k >= 0, "product sizes must not be negative: m {}, n {}, k {}", m, n, k);
  const std::int64_t panels = (n + steps_.geometry.unit - 1) / steps_.geometry.unit;
  threads_ = static_cast<int>(std::clamp<std::int64_t>(std::min(m * n * k / kWorkPerThread, panels), 1, num_threads()));
  by_rows_ = slices_rows(m, threads_, n * k, k, parts_);
}

bool PackedProduct::pays(std::int64_t m, std::int64_t n, std::int64_t k, bool transpose_b) {
  if (n == 1 || k == 1) return false;
  return !transpose_b || m > kGemmDotRows || n * k < kBeyondCache;
}

std::size_t PackedProduct::packed_bytes() const {
  return round_up(static_cast<std::size_t>(steps_.plain_panel_floats(k_, n_)) * sizeof(float), kAlignment);
}

void PackedProduct::pack(const float* b, void* packed) const {
  in_team(threads_, [&](int thread, int team) {
    steps_.pack_plain(b, transpose_b_ ? k_ : n_, transpose_b_, k_, columns_of(steps_, n_, thread, team),
                      static_cast<float*>(packed));
  });
}

void PackedProduct::run(const float* a, const void* packed, const float* bias, float* c, bool descending) const {
  run_all(a, packed, bias, c, m_, descending, [](std::int64_t i) { return static_cast<std::int32_t>(i); });
}

void PackedProduct::run_rows(const float* a, const void* packed, const float* bias, float* c,
                             std::span<const std::int32_t> rows) const {
  run_all(a, packed, bias, c, static_cast<std::int64_t>(rows.size()), /*descending=*/false,
          [rows](std::int64_t i) { return rows[static_cast<std::size_t>(i)]; });
}

template <class RowAt>
void PackedProduct::run_all(const float* a, const void* packed, const float* bias, float* c, std::int64_t rows,
                            bool descending, const RowAt& row_at) const {
  in_team(threads_, [&](int thread, int team) {
    UnitRange columns = by_rows_ ? UnitRange{0, n_} : columns_of(steps_, n_, thread, team);
    const std::int64_t begin = by_rows_ ? rows * thread / team : 0, end = by_rows_ ? rows * (thread + 1) / team : rows;
    columns.descending = descending;
    std::array<std::int32_t, kRowBlock> block;
    for (std::int64_t first = begin; first < end; first += kRowBlock, columns.descending = !columns.descending) {
      const std::int64_t count = std::min(kRowBlock, end - first);
      for (std::int64_t i = 0; i < count; ++i) block[static_cast<std::size_t>(i)] = row_at(first + i);
      steps_.plain_product(static_cast<const float*>(packed), k_, a, k_, bias, /*accumulate=*/false, c, n_, columns,
                           {block.data(), count});
    }
  });
}

}  // namespace eddy
