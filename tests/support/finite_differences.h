// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "eddy/core/tensor.h"

namespace eddy::test {

/// A scalar function of tensors as its terms; their sum is taken in double, so that only the rounding of the terms
/// themselves reaches the differences.
using Terms = std::function<std::vector<double>(std::span<const Tensor> inputs)>;

/// Compares gradients with central differences along random directions through all of `wrt` (indices into `inputs`),
/// extrapolated from two step sizes (Richardson). Directions that cross a kink, where the two disagree, do not count,
/// but enough must remain. Empty when all is well, else what is wrong.
std::string check_gradients(const Terms& terms, std::span<const Tensor> inputs, std::span<const int> wrt,
                            std::span<const std::vector<double>> gradients, double tolerance, std::uint64_t seed);

}  // namespace eddy::test
