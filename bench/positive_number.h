// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <charconv>
#include <optional>
#include <string_view>

#include "eddy/core/error.h"

namespace eddy::bench {

/// The whole number above 0 that the text is; nothing when it is none.
inline std::optional<int> positive_number(std::string_view text) {
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < 1) return std::nullopt;
  return number;
}

/// What follows --threads; UsageError when it is no positive whole number.
inline int threads_from(std::string_view text) {
  const std::optional<int> threads = positive_number(text);
  require<UsageError>(threads.has_value(), "--threads must be a positive whole number, not '{}'", text);
  return *threads;
}

}  // namespace eddy::bench
