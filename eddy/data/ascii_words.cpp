// SPDX-License-Identifier: Apache-2.0
#include "eddy/data/ascii_words.h"

namespace eddy {

AsciiWords::AsciiWords(const std::function<bool(std::string_view)>& is_one_word) {
  const auto joined = [&](char first, char middle, char last) {
    const char text[] = {first, middle, last};
    return is_one_word({text, 3});
  };
  for (std::size_t i = 0; i < 128; ++i) {
    const char c = static_cast<char>(i);
    const char after_letter[] = {'a', c};
    if (c <= ' ' || c == 0x7F) {
      classes_[i] = kBlank;
    } else if (joined('a', '\'', c)) {  // an apostrophe joins letters to letters and digits to digits, nothing else
      classes_[i] = kLetter;            // '@' is one to some versions of ICU
    } else if (joined('1', '\'', c)) {
      classes_[i] = kDigit;
    } else if (is_one_word({after_letter, 2})) {
      classes_[i] = kExtender;
    } else {
      classes_[i] = kOther;
      if (joined('a', c, 'a')) joins_[i] |= kLetter;
      if (joined('1', c, '1')) joins_[i] |= kDigit;
    }
  }
}

std::size_t AsciiWords::segment_end(std::string_view text, std::size_t at) const {
  const auto at_index = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  std::uint8_t last = classes_[at_index(at++)];
  if ((last & kWordPart) == 0) return at;
  while (at < text.size()) {
    const unsigned char c = at_index(at);
    if ((classes_[c] & kWordPart) != 0) {
      last = classes_[c];
      ++at;
      continue;
    }
    // A joiner counts only between two of its own kind: "don't", "3.14".
    if ((joins_[c] & last) == 0 || at + 1 == text.size() || classes_[at_index(at + 1)] != last) break;
    at += 2;
  }
  return at;
}

}  // namespace eddy
