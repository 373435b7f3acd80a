// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace eddy {

/// A line of source code: what std::source_location would be if Clang 14 had it. The file name is static storage.
class SourceLocation {
 public:
  static constexpr SourceLocation current(const char* file = __builtin_FILE(), unsigned line = __builtin_LINE()) {
    return {file, line};
  }
  constexpr const char* file_name() const { return file_; }
  constexpr unsigned line() const { return line_; }

 private:
  constexpr SourceLocation(const char* file, unsigned line) : file_(file), line_(line) {}

  const char* file_;
  unsigned line_;
};

}  // namespace eddy
