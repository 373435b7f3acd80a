// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal: part of kernels.

#include <cstddef>
#include <cstdint>
#include <span>

namespace eddy {

struct RnnSteps;

/// c[m,n] = a[m,k] * B (+ bias[n]) for many a and one B, which is packed once: the product of one step of a loop.
/// All arrays are dense row-major f32. Planned when built, for num_threads() and matmul_precision() at that time; bits
/// do not depend on the threads. Concurrent runs with one packed B are safe.
class PackedProduct {
 public:
  /// With `transpose_b`, B is stored as [n,k]. Throws Error for a negative size.
  PackedProduct(std::int64_t m, std::int64_t n, std::int64_t k, bool transpose_b);

  /// Whether packing pays for many products. Not for a vector, nor for a few rows times a transposed B beyond the
  /// caches: as dot products they read B as it lies, once, and a second copy only takes memory.
  static bool pays(std::int64_t m, std::int64_t n, std::int64_t k, bool transpose_b);

  /// Of the numbers of products on AMX's tiles (tile_product.h); 0 for products on vectors.
  int parts() const { return parts_; }
  /// Of the packed B, on a kAlignment boundary.
  std::size_t packed_bytes() const;
  void pack(const float* b, void* packed) const;
  /// `bias` may be null. Runs that alternate in `descending`, whether the last columns are made first, find in the
  /// cache what of B the run before used last.
  void run(const float* a, const void* packed, const float* bias, float* c, bool descending = false) const;
  /// The same for some rows of a and c only: at most m, in rising order.
  void run_rows(const float* a, const void* packed, const float* bias, float* c,
                std::span<const std::int32_t> rows) const;

 private:
  template <class RowAt>
  void run_all(const float* a, const void* packed, const float* bias, float* c, std::int64_t rows, bool descending,
               const RowAt& row_at) const;

  std::int64_t m_, n_, k_;
  bool transpose_b_;
  int parts_;
  const RnnSteps& steps_;
  int threads_;
  bool by_rows_;  ///< what a thread takes, as elementwise ops before and after do; else columns
};

}  // namespace eddy
