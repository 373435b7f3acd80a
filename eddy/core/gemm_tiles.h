// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal: part of kernels.

#include <cstddef>
#include <cstdint>

#include "eddy/core/gemm_blocks.h"

/// The inside of Gemm on AMX's tiles (tile_product.h).
namespace eddy {

/// Whether there are tiles, and a product is large enough to pay for splitting its operands.
bool gemm_tiles_pay(const GemmConfig& config);

/// As gemm_scratch_bytes() and gemm_block().
std::size_t gemm_tiles_scratch_bytes(const GemmConfig& config, std::int64_t rows, std::int64_t cols);
void gemm_tiles(const GemmConfig& config, const GemmBlock& block, const float* a, const float* b, float* c,
                const float* bias, float* scratch);

}  // namespace eddy
