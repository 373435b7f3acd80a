// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal: part of ops and their tests.

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "eddy/ops/op_case.h"
#include "eddy/ops/reduce.h"

namespace eddy {

using ReduceBuilder = std::function<Value(Operand x, Axes axes, bool keep_dims)>;
using ReduceReference = std::function<double(std::span<const double> values)>;

/// Case of a reduction whose reference is given on the values that make one result. `axes` as in the op.
OpCase reduce_case(std::string name, TensorType type, std::vector<int> axes, bool keep_dims, ReduceBuilder build,
                   ReduceReference reference);

/// Registers cases over every kind of axes and both choices of keep_dims, with benchmarks over the first axis, the last
/// and all of a large matrix.
struct RegisterReduceCases {
  RegisterReduceCases(const std::string& name, const ReduceBuilder& build, const ReduceReference& reference);
};

}  // namespace eddy
