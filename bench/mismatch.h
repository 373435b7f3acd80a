// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>

#include "eddy/core/tensor.h"

namespace eddy::bench {

/// Empty when every f32 number of `got` is finite and within tolerance * (largest |expected| of its tensor) of
/// `expected`, integers are equal; else what differs.
std::string mismatch(std::span<const Tensor> got, std::span<const Tensor> expected, double tolerance);

}  // namespace eddy::bench
