// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal: part of kernels.

#include <cstdint>

namespace eddy {

/// out[i] = table[index[i] * stride + i * advance] of elements of four bytes, bit for bit, or 0 where the index is
/// negative or not below `size`. Returns whether all are below. Positions in the table must be numbers of 32 bits.
bool vector_gather(const void* table, const std::int32_t* index, std::int32_t size, std::int32_t stride,
                   std::int32_t advance, void* out, std::int64_t n);

}  // namespace eddy
