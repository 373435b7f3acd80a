// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "eddy/data/character_pairs.h"

/// Pure functions: safe to call concurrently.
namespace eddy {

/// With go and end the 14 characters of the adder of Linusp/soph.
inline constexpr std::string_view kAdditionCharacters = "0123456789+ ";
inline constexpr CharacterFrame kAdditionFrame{.source_length = 12, .target_length = 12};

/// "12+34" and "46" for all numbers from 0 to `below` - 1, as both summands: below * below pairs.
/// UsageError unless 1 <= below <= 1000.
std::vector<TextPair> additions(int below = 100);

/// A key for split_by_key: "12+34" and "34+12" have one, so that a part held out has no sum that was trained the other
/// way round. DataError for a source that is no addition.
std::vector<std::string> addition_keys(std::span<const TextPair> pairs);

}  // namespace eddy
