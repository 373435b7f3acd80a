// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "eddy/data/character_pairs.h"

/// Readers keep no state: safe to call concurrently.
namespace eddy {

inline constexpr std::string_view kPigLatinCharacters = "abcdefghijklmnopqrstuvwxyz";
/// The frame of Linusp/soph: words of up to 16 letters.
inline constexpr CharacterFrame kPigLatinFrame{.source_length = 18, .target_length = 20};
/// Where Debian's wamerican puts its words.
inline constexpr std::string_view kWordList = "/usr/share/dict/words";

/// "insay" of "sin": a word that begins with one of aeiou gets "yay"; in others the consonants before the first of them
/// go to the end, with "ay". y counts as a consonant; a word without vowel gets "ay". DataError for a word that is not
/// of a-z.
std::string pig_latin(std::string_view word);

struct WordListOptions {
  /// In letters.
  std::int64_t shortest = 1;
  std::int64_t longest = 16;
};

/// The words of a list, one a line, in lower case and each once, in the order of the file: `name` in the directory or
/// archive `source`, or `source` itself. Lines with anything but a-z are passed over. DataError when no word is left,
/// or the file is missing, naming Debian's package.
std::vector<std::string> read_word_list(const std::filesystem::path& source = kWordList, const std::string& name = "",
                                        const WordListOptions& options = {});

/// Each word with its Pig Latin; the id is the word.
std::vector<TextPair> pig_latin_pairs(std::span<const std::string> words);

}  // namespace eddy
