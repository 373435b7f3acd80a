// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace eddy {

/// What a JSON library's error says, without the tag "[json.exception.parse_error.101] " that it begins with.
inline std::string json_problem(const nlohmann::json::exception& error) {
  const std::string text = error.what();
  const auto tag = text.starts_with('[') ? text.find("] ") : std::string::npos;
  return tag == std::string::npos ? text : text.substr(tag + 2);
}

}  // namespace eddy
