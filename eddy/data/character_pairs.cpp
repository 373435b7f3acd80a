// SPDX-License-Identifier: Apache-2.0
#include "eddy/data/character_pairs.h"

#include <string>
#include <utility>

#include "eddy/core/error.h"

namespace eddy {

namespace {

std::string framed(const std::string& text, std::int64_t length, const TextPair& pair) {
  require<DataError>(static_cast<std::int64_t>(text.size()) < length,
                     "pair {}: \"{}\" has {} characters, a frame of {} holds at most {}", pair.id, text, text.size(),
                     length, length - 1);
  std::string frame = "^" + text;
  frame.resize(static_cast<std::size_t>(length), '$');
  return frame;
}

}  // namespace

EncodedPairs encode_characters(std::span<const TextPair> pairs, std::string_view alphabet) {
  std::vector<std::string> tokens;
  for (const char c : alphabet) tokens.emplace_back(1, c);
  const auto go = static_cast<std::int32_t>(tokens.size());
  tokens.emplace_back("^");
  tokens.emplace_back("$");
  const TokenSet set(tokens, {.go = go, .end = go + 1});
  PairEncodeOptions options;
  options.source_tokenizer = {.unit = TokenUnit::code_point, .lower_case = false};
  options.target_tokenizer = options.source_tokenizer;
  return encode_pairs(pairs, set, set, options);
}

EncodedPairs encode_characters(std::span<const TextPair> pairs, std::string_view alphabet,
                               const CharacterFrame& frame) {
  std::vector<TextPair> frames;
  frames.reserve(pairs.size());
  for (const TextPair& pair : pairs)
    frames.push_back(
        {framed(pair.source, frame.source_length, pair), framed(pair.target, frame.target_length, pair), pair.id});
  EncodedPairs encoded = encode_characters(frames, alphabet);
  encoded.targets_complete = true;
  return encoded;
}

}  // namespace eddy
