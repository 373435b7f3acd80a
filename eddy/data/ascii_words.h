// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal: part of the tokenizer.

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>

namespace eddy {

/// Letters, digits and the underscore, for ASCII.
constexpr bool is_ascii_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/// Word segmentation (Unicode UAX #29) of ASCII text by table. Which characters join letters or digits is learnt from
/// the real segmenter when the table is made, because ICU versions differ (in "a:b", say). Immutable once made.
class AsciiWords {
 public:
  /// `is_one_word(text)`: does the real segmenter keep `text` in one piece?
  explicit AsciiWords(const std::function<bool(std::string_view)>& is_one_word);

  /// End of the segment that starts at `at` < text.size(); text is ASCII.
  std::size_t segment_end(std::string_view text, std::size_t at) const;

  /// White space and control characters, which make no token.
  bool is_blank(char c) const { return classes_[static_cast<unsigned char>(c)] == kBlank; }

 private:
  enum : std::uint8_t { kBlank = 0, kLetter = 1, kDigit = 2, kExtender = 4, kOther = 8 };
  static constexpr std::uint8_t kWordPart = kLetter | kDigit | kExtender;

  std::array<std::uint8_t, 128> classes_{};
  /// Bits kLetter, kDigit: the character joins two of these.
  std::array<std::uint8_t, 128> joins_{};
};

}  // namespace eddy
