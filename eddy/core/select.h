// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace eddy {

/// out[i] = condition[i] ? a[i * step_a] : b[i * step_b], bit for bit; a step is 1, or 0 for one number for all.
void vector_select(const bool* condition, const float* a, std::int64_t step_a, const float* b, std::int64_t step_b,
                   float* out, std::int64_t n);

}  // namespace eddy
