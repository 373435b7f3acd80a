// SPDX-License-Identifier: Apache-2.0
#include "eddy/optimizers/parameter_settings.h"

#include <algorithm>

namespace eddy {

bool has_prefix(std::string_view name, const std::vector<std::string>& prefixes) {
  return std::ranges::any_of(prefixes, [&](const std::string& prefix) { return name.starts_with(prefix); });
}

double rate_multiplier(const UpdateOptions& options, std::string_view parameter) {
  return of_longest_prefix(options.rate_multipliers, parameter, 1.0);
}

UpdateSettings settings_of(const Optimizer& optimizer, std::string_view parameter) {
  const UpdateOptions& options = optimizer.options;
  UpdateSettings settings{
      .rule = optimizer.rule, .rate_multiplier = rate_multiplier(options, parameter), .clip_value = options.clip_value};
  if (has_prefix(parameter, options.undecayed)) settings.rule.weight_decay = 0;
  if (options.lazy_rows || settings.rule.rests_at_zero_gradient()) settings.rows = UpdatedRows::touched;
  return settings;
}

}  // namespace eddy
