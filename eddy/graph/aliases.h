// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal: part of compilation.

#include <algorithm>
#include <span>

#include "eddy/graph/graph.h"

namespace eddy {

/// Whether these aliases are of a node that runs no kernel, as its outputs are bytes of an input.
inline bool is_view(std::span<const Alias> aliases) {
  return std::ranges::any_of(aliases, [](const Alias& alias) { return alias.kind == Alias::Kind::view; });
}
inline bool is_view(const Node& node) { return is_view(aliases_of(node)); }

/// Whether these aliases are of a node that writes over a variable.
inline bool updates_variable(std::span<const Alias> aliases) {
  return std::ranges::any_of(aliases, [](const Alias& alias) { return alias.kind == Alias::Kind::update; });
}
inline bool updates_variable(const Node& node) { return updates_variable(aliases_of(node)); }

/// Whether the variable that is written over is this input.
inline bool updates_input(std::span<const Alias> aliases, std::size_t input) {
  return std::ranges::any_of(aliases, [input](const Alias& alias) {
    return alias.kind == Alias::Kind::update && alias.input == static_cast<int>(input);
  });
}

}  // namespace eddy
