// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal: part of experiments.

namespace eddy {

/// The members of a JSON object by pointer ("/model/hidden_size"), as nlohmann's flatten() lists them; but empty lists
/// and objects stay what they are, where that makes them null.
template <class Json>
Json flat_members(const Json& object) {
  Json flat = object.flatten();
  for (const auto& member : flat.items())
    if (member.value().is_null()) member.value() = object.at(typename Json::json_pointer(member.key()));
  return flat;
}

}  // namespace eddy
