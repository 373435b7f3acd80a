// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal: part of builder functions.

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "eddy/core/error.h"
#include "eddy/graph/graph.h"

namespace eddy {

/// A size that an axis of an argument must have, or a word for one that may be any.
struct AxisSize {
  std::int64_t size = -1;
  std::string_view word = {};

  AxisSize(std::integral auto n) : size(static_cast<std::int64_t>(n)) {}  // NOLINT
  AxisSize(const char* any) : word(any) {}                                // NOLINT
};

/// A public function that builds a part of a model, while it runs: what it builds answers to the caller's line, and
/// what it finds wrong is an error with its name and that line. Where such functions call each other, the line is the
/// outermost one's.
class BuilderScope {
 public:
  /// `value` is the argument whose graph is built in. Throws GraphError when it is empty.
  BuilderScope(std::string_view builder, std::string_view argument, Value value, SourceLocation where);
  BuilderScope(std::string_view builder, Graph& graph, SourceLocation where);

  Graph& graph() const { return graph_; }

  /// Throws GraphError "[builder] …  (line)" unless `condition` holds.
  template <class... Args>
  void check(bool condition, fmt::format_string<Args...> format, Args&&... args) const {
    if (!condition) [[unlikely]]
      fail(fmt::format(format, std::forward<Args>(args)...));
  }
  /// Throws GraphError naming the option unless it is a probability below 1.
  void expect_rate(std::string_view option, double rate) const {
    check(rate >= 0 && rate < 1, "{} is {}, expected at least 0 and less than 1", option, rate);
  }
  /// Throws GraphError naming the argument, what it must be and what it is, unless it has that type.
  void expect(std::string_view argument, const Value& value, DType dtype, std::initializer_list<AxisSize> axes) const;

 private:
  [[noreturn]] void fail(std::string what) const;

  OriginScope origin_;
  std::string_view builder_;
  SourceLocation where_;
  Graph& graph_;
};

/// "f32[2,3]", or "an empty value".
std::string type_text(const Value& value);

}  // namespace eddy
