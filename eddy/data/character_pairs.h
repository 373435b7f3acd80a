// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "eddy/data/encoded_pairs.h"

/// Pure functions of plain values: safe to call concurrently.
namespace eddy {

/// Both sides brought to a fixed length, for models that read and write whole frames: `^`, the text, then `$` to the
/// end (Linusp/soph). The `$` are tokens like others: no mask hides them.
struct CharacterFrame {
  std::int64_t source_length = 0;
  std::int64_t target_length = 0;
};

/// Texts of ASCII characters from `alphabet`, one id each in its order; then come `^`, the go, and `$`, the end. Both
/// sides share the ids. Without a frame the ids are those of the text alone, and batches add go and end.
/// Throws DataError naming the pair for a character that is not in the alphabet or a text that does not fit.
EncodedPairs encode_characters(std::span<const TextPair> pairs, std::string_view alphabet);
EncodedPairs encode_characters(std::span<const TextPair> pairs, std::string_view alphabet, const CharacterFrame& frame);

}  // namespace eddy
