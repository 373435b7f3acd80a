// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal: part of optimizers.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "eddy/optimizers/optimizer.h"
#include "eddy/optimizers/update_op.h"

namespace eddy {

/// Whether `name` begins with one of the prefixes.
bool has_prefix(std::string_view name, const std::vector<std::string>& prefixes);

/// The value of the longest prefix that fits, else `otherwise`.
template <class T>
T of_longest_prefix(const std::vector<std::pair<std::string, T>>& list, std::string_view name, T otherwise) {
  T found = otherwise;
  std::size_t longest = 0;
  for (const auto& [prefix, value] : list) {
    if (!name.starts_with(prefix) || prefix.size() < longest) continue;
    found = value;
    longest = prefix.size();
  }
  return found;
}

/// The factor of the learning rate, 1 when no prefix fits.
double rate_multiplier(const UpdateOptions& options, std::string_view parameter);

/// How `optimizer` updates a parameter of that name.
UpdateSettings settings_of(const Optimizer& optimizer, std::string_view parameter);

}  // namespace eddy
