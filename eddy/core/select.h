// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal: part of kernels.

#include <cstdint>

namespace eddy {

/// out[i] = condition[i] ? a[i * step_a] : b[i * step_b], bit for bit; a step is 1, or 0 for one number for all.
void vector_select(const bool* condition, const float* a, std::int64_t step_a, const float* b, std::int64_t step_b,
                   float* out, std::int64_t n);

/// Index of the first of n numbers that is above `bound` or NaN; n where there is none.
std::int64_t vector_first_above(const float* in, float bound, std::int64_t n);
std::int64_t vector_first_above(const std::int32_t* in, std::int32_t bound, std::int64_t n);
/// The same of the first that is at least `bound` or NaN.
std::int64_t vector_first_at_least(const float* in, float bound, std::int64_t n);
std::int64_t vector_first_at_least(const std::int32_t* in, std::int32_t bound, std::int64_t n);
/// The same of the first that is at most `bound` or NaN.
std::int64_t vector_first_at_most(const float* in, float bound, std::int64_t n);
std::int64_t vector_first_at_most(const std::int32_t* in, std::int32_t bound, std::int64_t n);
/// Index of the first of the largest of n > 0 numbers; NaN counts as largest.
std::int64_t vector_first_largest(const float* in, std::int64_t n);
std::int64_t vector_first_largest(const std::int32_t* in, std::int64_t n);
/// The same of the smallest; NaN counts as smallest.
std::int64_t vector_first_smallest(const float* in, std::int64_t n);
std::int64_t vector_first_smallest(const std::int32_t* in, std::int64_t n);
/// The smallest number there is for n = 0.
std::int32_t vector_max_value(const std::int32_t* in, std::int64_t n);
/// The largest number there is for n = 0.
std::int32_t vector_min_value(const std::int32_t* in, std::int64_t n);
/// Where in[i] is above best[i], or the first NaN, puts it there and `index` into indices[i].
void vector_keep_larger(const float* in, std::int32_t index, float* best, std::int32_t* indices, std::int64_t n);
void vector_keep_larger(const std::int32_t* in, std::int32_t index, std::int32_t* best, std::int32_t* indices,
                        std::int64_t n);
/// The same where in[i] is below best[i].
void vector_keep_smaller(const float* in, std::int32_t index, float* best, std::int32_t* indices, std::int64_t n);
void vector_keep_smaller(const std::int32_t* in, std::int32_t index, std::int32_t* best, std::int32_t* indices,
                         std::int64_t n);

}  // namespace eddy
