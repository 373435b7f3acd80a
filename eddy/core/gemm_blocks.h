// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal: part of kernels.

#include <cstddef>
#include <cstdint>

#include "eddy/core/gemm.h"

/// The serial, vectorised inside of Gemm.
namespace eddy {

/// Rows and columns of what a method computes at once on this processor.
struct GemmGeometry {
  int rows = 0;
  int cols = 0;
};
GemmGeometry gemm_geometry(GemmMethod method);

/// With B transposed, up to this many rows are computed by dot products.
inline constexpr std::int64_t kGemmDotRows = 4;

/// A part of C: rows [m_begin, m_end), columns [n_begin, n_end).
struct GemmBlock {
  std::int64_t m_begin, m_end, n_begin, n_end;
};

/// Scratch for a block of at most `rows` x `cols` by a method that packs; a multiple of 64.
std::size_t gemm_scratch_bytes(const GemmConfig& config, GemmMethod method, std::int64_t rows, std::int64_t cols);

/// Computes one part of C of one batch item, serially. Pointers are those of the whole operands.
void gemm_block(const GemmConfig& config, GemmMethod method, const GemmBlock& block, const float* a, const float* b,
                float* c, const float* bias, float* scratch);

}  // namespace eddy
