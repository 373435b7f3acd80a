// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <charconv>
#include <string_view>

#include "eddy/core/error.h"

namespace eddy::bench {

/// What follows --threads; UsageError when it is no positive whole number.
inline int threads_from(std::string_view text) {
  int threads = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), threads);
  require<UsageError>(error == std::errc() && end == text.data() + text.size() && threads >= 1,
                      "--threads must be a positive whole number, not '{}'", text);
  return threads;
}

}  // namespace eddy::bench
