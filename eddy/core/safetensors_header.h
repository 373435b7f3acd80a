// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal: part of core/safetensors.h.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "eddy/core/safetensors.h"

namespace eddy {

inline constexpr std::string_view kSafetensorsMetadataKey = "__metadata__";
/// The largest header the format allows, in bytes.
inline constexpr std::uint64_t kSafetensorsLargestHeader = 100'000'000;

/// The JSON header; `offset` of the entries counts from the end of the header.
struct SafetensorsHeader {
  std::vector<SafetensorsEntry> entries;  ///< in the order of the text
  std::map<std::string, std::string> metadata;
};

/// Parses strictly: unknown fields, repeated names and wrong types are DataError naming `file` and the tensor. The
/// layout of the data is not checked here. Memory use is proportional to the text.
SafetensorsHeader parse_safetensors_header(std::string_view json, const std::string& file);

/// The header of tensors that follow one another in the order given, padded with spaces so that 8 + size divides by 8.
std::string make_safetensors_header(const std::vector<const NamedTensor*>& tensors,
                                    const std::map<std::string, std::string>& metadata, const std::string& file);

}  // namespace eddy
