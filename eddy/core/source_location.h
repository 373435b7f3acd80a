// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace eddy {

/// A line of source code: what std::source_location would be if Clang 14 had it. The file name is static storage. A
/// plain value.
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

/// Where a node was made, or what an error answers to: a line of the user's program, and the name scope there. A plain
/// value.
struct Origin {
  std::string_view file = {};  ///< static storage: from SourceLocation; empty where no line is known
  unsigned line = 0;
  std::string scope = {};
};

/// "(examples/my_model.cpp:42, scope encoder/layer0)".
std::string to_string(const Origin& origin);

}  // namespace eddy
