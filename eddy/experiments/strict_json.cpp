// SPDX-License-Identifier: Apache-2.0
#include "eddy/experiments/strict_json.h"

#include <algorithm>
#include <set>
#include <sstream>

namespace eddy {
namespace {

using Json = nlohmann::ordered_json;

/// An object that is being read.
struct OpenObject {
  std::set<std::string> keys;
  std::string key;  ///< the latest
};

/// "model.hidden_size", of what is being read.
std::string path_of(const std::vector<OpenObject>& open) {
  std::string path;
  for (const OpenObject& object : open) path += (path.empty() ? "" : ".") + object.key;
  return path;
}

}  // namespace

Json parse_strictly(std::string_view text, std::string_view where) {
  std::istringstream input{std::string(text)};
  std::vector<OpenObject> open;
  const auto see = [&](int, Json::parse_event_t event, const Json& value) {
    if (event == Json::parse_event_t::object_start) open.emplace_back();
    if (event == Json::parse_event_t::object_end) open.pop_back();
    if (event != Json::parse_event_t::key) return true;
    open.back().key = value.get<std::string>();
    if (open.back().keys.insert(open.back().key).second) return true;
    // The parser has read up to the key's end.
    const auto read = static_cast<std::size_t>(input.rdbuf()->pubseekoff(0, std::ios::cur, std::ios::in));
    fail<DataError>("{}: \"{}\" stands twice, the second time in line {}", where, path_of(open),
                    1 + std::ranges::count(text.substr(0, read), '\n'));
  };
  try {
    return Json::parse(input, see);
  } catch (const Json::exception& error) {
    fail<DataError>("{}: not valid JSON: {}", where, json_problem(error));
  }
}

}  // namespace eddy
