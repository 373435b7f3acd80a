// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <vector>

#include "eddy/core/random.h"
#include "eddy/core/tensor.h"

namespace eddy::test {

std::vector<double> to_doubles(const Tensor& tensor);
Tensor from_doubles(const TensorType& type, std::span<const double> values);
/// f32: uniform in [low, high] on a grid of 2^-12.
Tensor random_tensor(const TensorType& type, Philox& random, float low = -2, float high = 2);

/// Copies, because a program's results live only until its next run.
std::vector<Tensor> copies(std::span<const Tensor> tensors);

/// Empty when every byte is equal, else where the first difference is.
std::string bit_difference(std::span<const Tensor> got, std::span<const Tensor> expected);
/// Empty when each |got - expected| <= tolerance * (1 + |expected|), else the worst element. NaN differs from all but
/// NaN.
std::string difference(std::span<const double> got, std::span<const double> expected, double tolerance);
std::string difference(std::span<const Tensor> got, std::span<const Tensor> expected, double tolerance);

}  // namespace eddy::test
