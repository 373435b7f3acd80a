// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal: part of compilation.

#include <fmt/format.h>

#include <span>
#include <string>

#include "eddy/graph/op.h"

namespace eddy {

// Keys for what is computed: equal ones compute the same. No key is the beginning of another.

inline std::string key_of(const Op& op) {
  const std::string attributes = op.attribute_bytes();
  return fmt::format(";{} {} {}", op.name(), attributes.size(), attributes);
}

/// Values of one graph, by their places in it.
inline std::string key_of(std::span<const Value> values) {
  std::string key;
  for (const Value& value : values) key += fmt::format(" {}.{}", value.node(), value.output());
  return key;
}

inline std::string key_of(const Op& op, std::span<const Value> inputs) { return key_of(op) + key_of(inputs); }

}  // namespace eddy
