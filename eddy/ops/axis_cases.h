// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "eddy/ops/op_case.h"

namespace eddy {

using AxisBuilder = std::function<Value(Operand x, int axis)>;
using VectorReference = std::function<std::vector<double>(const std::vector<double>& x)>;

/// Registers cases of an op that works along one axis, with `reference` on one such vector: the last axis, a middle
/// one, the first one, and arguments so large that exp overflows. `bench` is the shape of the benchmark, over its last
/// axis.
struct RegisterAxisCases {
  RegisterAxisCases(const std::string& name, const AxisBuilder& build, const VectorReference& reference, Shape bench);
};

}  // namespace eddy
