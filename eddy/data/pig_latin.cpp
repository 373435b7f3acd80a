// SPDX-License-Identifier: Apache-2.0
#include "eddy/data/pig_latin.h"

#include <algorithm>
#include <system_error>

#include "eddy/core/error.h"
#include "eddy/core/number_text.h"
#include "eddy/data/line_cursor.h"
#include "eddy/data/source.h"
#include "eddy/data/token_table.h"

namespace eddy {

namespace {

bool is_word(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= 'a' && c <= 'z'; });
}

/// Trims ASCII white space and lowers A-Z.
std::string cleaned(std::string_view line) {
  constexpr std::string_view kBlank = " \t\r\v\f";
  const std::size_t first = line.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return {};
  std::string word(line.substr(first, line.find_last_not_of(kBlank) + 1 - first));
  for (char& c : word)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return word;
}

}  // namespace

std::string pig_latin(std::string_view word) {
  require<DataError>(is_word(word), "\"{}\" has no Pig Latin; expected a word of the letters a to z", word);
  const std::size_t vowel = std::min(word.find_first_of("aeiou"), word.size());
  if (vowel == 0) return std::string(word) + "yay";
  return std::string(word.substr(vowel)) + std::string(word.substr(0, vowel)) + "ay";
}

std::vector<std::string> read_word_list(const std::filesystem::path& source, const std::string& name,
                                        const WordListOptions& options) {
  std::error_code error;
  require<DataError>(std::filesystem::exists(source, error),
                     "{}: does not exist; expected a list of words, one a line (Debian package wamerican has one)",
                     source.string());
  const NamedText text = read_named_text(source, name);
  std::vector<std::string> words;
  TokenTable seen;
  LineCursor lines(text.contents);
  while (lines.next()) {
    std::string word = cleaned(lines.line());
    const auto length = static_cast<std::int64_t>(word.size());
    if (!is_word(word) || length < options.shortest || length > options.longest) continue;
    if (seen.find(word) >= 0) continue;
    seen.insert(word);
    words.push_back(std::move(word));
  }
  require<DataError>(!words.empty(), "{}: none of {} is a word of {} to {} letters a to z", text.name,
                     counted(lines.number(), "line"), options.shortest, options.longest);
  return words;
}

std::vector<TextPair> pig_latin_pairs(std::span<const std::string> words) {
  std::vector<TextPair> pairs;
  pairs.reserve(words.size());
  for (const std::string& word : words) pairs.push_back({word, pig_latin(word), word});
  return pairs;
}

}  // namespace eddy
