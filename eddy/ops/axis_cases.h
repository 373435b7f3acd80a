// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal: part of ops and their tests.

#include <algorithm>
#include <cmath>
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

/// log(sum(exp(x))), for references.
inline double plain_log_sum_exp(const std::vector<double>& x) {
  const double largest = *std::ranges::max_element(x);
  double total = 0;
  for (const double v : x) total += std::exp(v - largest);
  return largest + std::log(total);
}

}  // namespace eddy
