// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal: part of optimizers.

#include <array>
#include <cstdint>

#include "eddy/optimizers/update_rule.h"

namespace eddy {

/// What an update kernel needs besides arrays, once per run.
struct UpdateNumbers {
  UpdateRule::Kind kind = UpdateRule::Kind::sgd;
  bool nesterov = false, centered = false, epsilon_inside_sqrt = false, has_momentum = false;
  float gradient_scale = 1;
  float clip_value = 0;  ///< gradients are clamped to [-clip_value, clip_value] after scaling; 0: not
  float l2 = 0;          ///< gradient += l2 * parameter
  float shrink = 1;      ///< parameter *= shrink, before the step
  float rate = 0;
  float momentum = 0, beta1 = 0, beta2 = 0, epsilon = 0;
  float rest1 = 0, rest2 = 0;    ///< 1 - beta1, 1 - beta2, rounded once
  float inverse_root_bias2 = 1;  ///< 1 / sqrt(1 - beta2^t)
};

/// The numbers for step `step` (1 for the first) at learning rate `rate`; powers and quotients are taken in double.
UpdateNumbers update_numbers(const UpdateRule& rule, double rate, std::int64_t step);

/// One element range of an update, in place. A null gradient stands for zeros.
struct UpdateSpan {
  const float* gradient = nullptr;
  float* parameter = nullptr;
  std::array<float*, UpdateRule::kMaxSlots> slots{};

  UpdateSpan from(std::int64_t offset) const;
};

/// Updates `count` elements: each array is read and written once. Serial; runs on any vector instructions.
void update_elements(const UpdateNumbers& numbers, const UpdateSpan& span, std::int64_t count);

/// average += (1 - decay) * (parameter - average)
void update_average(float rest, const float* parameter, float* average, std::int64_t count);

}  // namespace eddy
