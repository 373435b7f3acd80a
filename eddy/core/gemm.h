// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "eddy/core/precision.h"

namespace eddy {

/// Function applied to each element of a product before it is stored.
enum class Activation : std::uint8_t { none, relu, tanh, sigmoid };

/// C[m,n] = activation(A[m,k] * B[k,n] + bias[n] (+ C)), row-major f32, once for each of `batch` operand sets.
struct GemmConfig {
  std::int64_t m = 0;
  std::int64_t n = 0;
  std::int64_t k = 0;
  /// A transposed operand is stored as A[k,m] or B[n,k].
  bool transpose_a = false;
  bool transpose_b = false;
  /// Elements from one stored row to the next; 0 means dense.
  std::int64_t lda = 0;
  std::int64_t ldb = 0;
  std::int64_t ldc = 0;
  /// Number of products, and elements from one operand to the next. Stride 0 shares A or B; C must not overlap itself.
  std::int64_t batch = 1;
  std::int64_t stride_a = 0;
  std::int64_t stride_b = 0;
  std::int64_t stride_c = 0;
  /// Adds the previous C before the activation.
  bool accumulate = false;
  bool has_bias = false;
  Activation activation = Activation::none;
  Precision precision = matmul_precision();  ///< as it is set when the configuration is made

  /// The configuration with dense leading dimensions written out. Throws Error when sizes or strides make no sense.
  GemmConfig resolved() const;
  friend bool operator==(const GemmConfig&, const GemmConfig&) = default;
};

/// "gemm m=3200 n=10000 k=512, B transposed"
std::string to_string(const GemmConfig& config);

/// Which code runs a product; a fixed function of the configuration and the thread count, never of timing.
enum class GemmMethod : std::uint8_t {
  trivial,  ///< no terms: only bias, activation and zeros
  thin,     ///< few rows: B is read in place
  column,   ///< one column: A is read once, as it lies
  packed,   ///< operands packed block by block
  tiles,    ///< the same on AMX's tiles, of bf16 parts
};

/// One matrix product, planned when built for num_threads() at that time. Concurrent `run`s need different scratch.
/// The same inputs give the same bits on the same machine, whatever the number of threads.
class Gemm {
 public:
  /// Throws Error as GemmConfig::resolved() does.
  explicit Gemm(const GemmConfig& config);

  /// Resolved; a dense B of one row or column may be taken for its transpose.
  const GemmConfig& config() const { return config_; }
  GemmMethod method() const { return method_; }
  /// Bytes of scratch that `run` needs, on a kAlignment boundary; may be 0.
  std::size_t scratch_bytes() const { return scratch_bytes_; }
  /// `bias` is read only with has_bias. `c` must not overlap an input; `scratch` may be null when scratch_bytes() is 0.
  void run(const float* a, const float* b, float* c, const float* bias, void* scratch) const;

 private:
  GemmConfig config_;
  GemmMethod method_ = GemmMethod::packed;
  int threads_m_ = 1;
  int threads_n_ = 1;
  int threads_batch_ = 1;
  std::size_t scratch_per_thread_ = 0;
  std::size_t scratch_bytes_ = 0;
};

}  // namespace eddy
