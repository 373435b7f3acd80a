// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal: part of kernels.

#include <cstdint>

namespace eddy {

enum class RunningSum : std::uint8_t {
  inclusive,  ///< each sum ends with the element itself
  exclusive,  ///< each ends before it; the first is 0
};

// Serial; `out` may be `in`. Sums are kept in double and rounded once. Vectors of several sums are added up at a time:
// the order of a line depends on the processor's vector width, that of a column does not.

/// Of n numbers from the first to the last, or from the last to the first.
void vector_running_sum(const float* in, float* out, std::int64_t n, RunningSum kind);
void vector_running_sum_from_end(const float* in, float* out, std::int64_t n, RunningSum kind);
/// Of each of `cols` columns, along `rows` rows that lie `stride` numbers apart; a negative stride walks backwards.
void running_sum_columns(const float* in, float* out, std::int64_t rows, std::int64_t stride, std::int64_t cols,
                         RunningSum kind);

}  // namespace eddy
