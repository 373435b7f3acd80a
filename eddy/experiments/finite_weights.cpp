// SPDX-License-Identifier: Apache-2.0
#include "eddy/experiments/finite_weights.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace eddy {

std::string non_finite_weight(const ParameterStore& store) {
  for (const std::shared_ptr<Variable>& variable : store.all()) {
    if (!variable->trainable || variable->value.dtype() != f32) continue;
    const std::span<const float> values = variable->value.values<const float>();
    const auto found = std::ranges::find_if(values, [](float value) { return !std::isfinite(value); });
    if (found != values.end())
      return fmt::format("weight '{}' is {} at element {}", variable->name, std::abs(*found), found - values.begin());
  }
  return {};
}

}  // namespace eddy
