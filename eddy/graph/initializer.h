// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>

#include "eddy/core/random.h"
#include "eddy/core/tensor.h"

namespace eddy {

/// Fills a fresh variable from a random stream of its own. Those below keep no state: safe to call concurrently. They
/// throw GraphError, when called, for a variable whose dtype or shape they cannot fill: f32 but for zeros (any) and
/// constant_value (i32, too).
using Initializer = std::function<void(const Tensor& value, Philox& random)>;

Initializer zeros();
Initializer constant_value(float value);
/// Uniform in [-limit, limit].
Initializer uniform(float limit);
/// Normal with mean 0 and this standard deviation.
Initializer normal(float deviation);
/// Uniform with limit sqrt(6 / (rows + columns)) (Glorot & Bengio 2010, section 4.2.1) for a matrix [rows, columns].
/// `blocks` matrices side by side (the gates of an LSTM) are scaled as if each stood alone. Axes before the last one
/// count as rows.
Initializer glorot_uniform(int blocks = 1);
/// Orthonormal rows or columns (Saxe et al. 2014), times `gain`, for each of `blocks` matrices side by side.
Initializer orthogonal(float gain = 1.0f, int blocks = 1);
/// A bias of zeros but for block `block` of `blocks`, which gets `value`: the forget gate of an LSTM.
Initializer block_bias(int block, int blocks, float value);

}  // namespace eddy
