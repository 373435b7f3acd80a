// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal: part of kernels.

#include <cstdint>

namespace eddy {

/// out[i] = base[i * base_step] to the power of exponent[i * exponent_step], within 1.5 ulp; special cases are those of
/// C's pow. A step is 1, or 0 for one number for all. `out` may be an input of step 1.
void vector_pow(const float* base, std::int64_t base_step, const float* exponent, std::int64_t exponent_step,
                float* out, std::int64_t n);

/// base[i] to the power of 1/2, or of -1/2 when `inverse`, within 1.5 ulp; unlike those of a square root, the special
/// cases are those of C's pow: +0 of -0, infinity of minus infinity. `out` may be `base`.
void vector_pow_half(const float* base, bool inverse, float* out, std::int64_t n);

}  // namespace eddy
