// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal: part of readers.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace eddy {

/// Goes through the lines of a text in memory: `for (LineCursor lines(text); lines.next();)`. LF and CRLF both end a
/// line; the last one may have no end. The text must outlive the cursor and its lines. A plain value.
class LineCursor {
 public:
  explicit LineCursor(std::string_view text) : rest_(text) {}

  bool next() {
    if (rest_.empty()) return false;
    line_ = rest_.substr(0, rest_.find('\n'));
    rest_.remove_prefix(std::min(rest_.size(), line_.size() + 1));
    if (line_.ends_with('\r')) line_.remove_suffix(1);
    ++number_;
    return true;
  }
  std::string_view line() const { return line_; }
  /// That of line(), from 1; 0 before the first.
  std::int64_t number() const { return number_; }

 private:
  std::string_view rest_, line_;
  std::int64_t number_ = 0;
};

}  // namespace eddy
