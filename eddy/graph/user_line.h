// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal: part of builder functions.

#include <string_view>
#include <utility>

#include "eddy/core/error.h"
#include "eddy/graph/value.h"

namespace eddy {

/// What an error of a builder function called at `where` answers to: the line this thread builds for, in no name scope.
Origin user_origin(SourceLocation where);

/// Throws GraphError "[op] …  (the user's line)".
template <class... Args>
[[noreturn]] void fail_at(SourceLocation where, std::string_view op, fmt::format_string<Args...> format,
                          Args&&... args) {
  throw GraphError(op, fmt::format(format, std::forward<Args>(args)...), user_origin(where));
}

/// The same unless `condition` holds: for what a builder function finds wrong before there is a node whose infer()
/// could say so.
template <class... Args>
void require_at(bool condition, SourceLocation where, std::string_view op, fmt::format_string<Args...> format,
                Args&&... args) {
  if (!condition) [[unlikely]]
    fail_at(where, op, format, std::forward<Args>(args)...);
}

}  // namespace eddy
