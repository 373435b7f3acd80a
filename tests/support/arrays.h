// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <vector>

#include "eddy/core/random.h"
#include "eddy/core/tensor.h"
#include "eddy/ops/check_op_parts.h"

namespace eddy::test {

using checks::to_doubles;
Tensor from_doubles(const TensorType& type, std::span<const double> values);
/// f32: uniform in [low, high] on a grid of 2^-12.
Tensor random_tensor(const TensorType& type, Philox& random, float low = -2, float high = 2);

/// Copies, because a program's results live only until its next run.
std::vector<Tensor> copies(std::span<const Tensor> tensors);

using checks::bit_difference;
using checks::difference;

}  // namespace eddy::test
