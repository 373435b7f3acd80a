// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "eddy/core/tensor.h"
#include "eddy/graph/program.h"
#include "eddy/graph/value.h"

namespace eddy {

/// A scalar function of tensors as its terms; their sum is taken in double, so that only the rounding of the terms
/// themselves reaches the differences.
using Terms = std::function<std::vector<double>(std::span<const Tensor> inputs)>;

/// Compares gradients with central differences along random directions through all of `wrt` (indices into `inputs`),
/// extrapolated from two step sizes (Richardson). Directions that cross a kink, where the two disagree, do not count,
/// but enough must remain. `gradients` has one array for each of `wrt`; `tolerance` is relative to the size of the
/// terms of the directional derivative. Steps are exact for inputs on a grid of 2^-12. Empty when all is well, else
/// what is wrong: which input and element, what the gradient and what the differences give.
std::string check_gradients(const Terms& terms, std::span<const Tensor> inputs, std::span<const int> wrt,
                            std::span<const std::vector<double>> gradients, double tolerance, std::uint64_t seed);

/// The same for a graph: the gradients of `loss` (f32, one element) with respect to each of `wrt`, f32 inputs and
/// parameters of its graph, at `bindings`, which holds all inputs, and the values that parameters have; they have them
/// again in the end. Throws GraphError for other arguments.
std::string check_gradients(Value loss, const std::vector<Value>& wrt, const std::vector<Binding>& bindings,
                            double tolerance = 2e-3, std::uint64_t seed = 7);

}  // namespace eddy
