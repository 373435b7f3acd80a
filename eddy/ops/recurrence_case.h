// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal: part of ops and their tests.

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "eddy/ops/op_case.h"

/// What the op cases of LSTM and GRU have in common.
namespace eddy::recurrence_case {

inline constexpr std::size_t kTime = 4;
inline constexpr std::size_t kBatch = 3;
inline constexpr std::size_t kIn = 2;
inline constexpr std::size_t kHidden = 3;

/// Rows of 4, 2 and 1 steps.
inline CaseInput mask_input() {
  return {.type = {f32, {4, 3}}, .differentiable = false, .values = {1, 1, 1, 1, 1, 0, 1, 0, 0, 1, 0, 0}};
}

inline double gate_function(double x, bool hard) {
  return hard ? std::clamp(0.2 * x + 0.5, 0.0, 1.0) : 1 / (1 + std::exp(-x));
}

}  // namespace eddy::recurrence_case
