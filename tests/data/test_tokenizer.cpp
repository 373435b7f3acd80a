// SPDX-License-Identifier: Apache-2.0
#include <unicode/brkiter.h>
#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>

#include <memory>

#include "eddy/core/random.h"
#include "eddy/data/tokenizer.h"
#include "eddy/data/unicode.h"
#include "files.h"

namespace eddy {

using test::contains;
using test::error_of;

namespace {

using Tokens = std::vector<std::string>;

/// The plain way: the whole text through ICU in UTF-16, leading blanks off each segment.
Tokens reference_words(const std::string& text, bool lower_case) {
  const icu::UnicodeString given = icu::UnicodeString::fromUTF8(text);
  icu::UnicodeString units;
  for (std::int32_t i = 0; i < given.length(); i = given.moveIndex32(i, 1)) {
    const UChar32 c = given.char32At(i);
    if (c == 0xAD || c == 0xFEFF || c == 0x200E || c == 0x2060) continue;
    units += c > 0x7F && (u_isUWhiteSpace(c) || c == 0x200B) ? UChar32{' '} : c;
  }
  if (lower_case) units.toLower(icu::Locale::getRoot());
  UErrorCode status = U_ZERO_ERROR;
  units = icu::Normalizer2::getNFCInstance(status)->normalize(units, status);
  const std::unique_ptr<icu::BreakIterator> breaks(
      icu::BreakIterator::createWordInstance(icu::Locale::getRoot(), status));
  REQUIRE(U_SUCCESS(status));
  breaks->setText(units);
  Tokens tokens;
  std::int32_t start = breaks->first();
  for (std::int32_t end = breaks->next(); end != icu::BreakIterator::DONE; start = end, end = breaks->next()) {
    while (start < end &&
           (u_isUWhiteSpace(units.char32At(start)) || u_charType(units.char32At(start)) == U_CONTROL_CHAR))
      start = units.moveIndex32(start, 1);
    if (start == end) continue;
    tokens.emplace_back();
    units.tempSubStringBetween(start, end).toUTF8String(tokens.back());
  }
  return tokens;
}

std::string random_text(Philox& random, std::span<const std::string_view> pieces, std::size_t most) {
  std::string text;
  for (std::size_t n = uniform_index(random, most + 1); n > 0; --n)
    text += pieces[uniform_index(random, pieces.size())];
  return text;
}

}  // namespace

TEST_CASE("words, numbers and punctuation are tokens, white space is not") {
  Tokenizer tokenizer;
  CHECK(tokenizer.tokenize("The CAT, isn't (3.14) here...\n") ==
        Tokens{"the", "cat", ",", "isn't", "(", "3.14", ")", "here", ".", ".", "."});
  CHECK(tokenizer.tokenize("snake_case 1,000 a.b x-y") == Tokens{"snake_case", "1,000", "a.b", "x", "-", "y"});
  CHECK(tokenizer.tokenize("\xC3\x89T\xC3\x89 \xE2\x80\x9Cquoted\xE2\x80\x9D na\xC3\xAFve\xE2\x80\xA6") ==
        Tokens{"\xC3\xA9t\xC3\xA9", "\xE2\x80\x9C", "quoted", "\xE2\x80\x9D", "na\xC3\xAFve", "\xE2\x80\xA6"});
  CHECK(tokenizer.tokenize("").empty());
  CHECK(tokenizer.tokenize(" \t\r\n\x01\x7F").empty());
  CHECK(tokenizer.tokenize("\xC2\xA0\xE3\x80\x80").empty());  // no-break and ideographic space
  Tokenizer cased({.lower_case = false});
  CHECK(cased.tokenize("The Cat \xC3\x89") == Tokens{"The", "Cat", "\xC3\x89"});
}

TEST_CASE("the fast way for ASCII agrees with ICU") {
  Philox random(11);
  // Few letters and many joiners make the rules collide often.
  constexpr std::string_view kTight = "ab1_.,:;'\"-@ ";
  for (const bool lower_case : {false, true}) {
    Tokenizer tokenizer({.lower_case = lower_case});
    for (int round = 0; round < 20000; ++round) {
      std::string text;
      for (std::uint64_t n = uniform_index(random, 24); n > 0; --n)
        text += round % 2 == 0 ? kTight[uniform_index(random, kTight.size())]
                               : static_cast<char>(uniform_index(random, 128));
      const Tokens expected = reference_words(text, lower_case);
      if (tokenizer.tokenize(text) != expected) FAIL("differs from ICU on: " << text);
    }
  }
}

TEST_CASE("cutting at white space agrees with ICU on the whole text") {
  // Letters of many scripts, combining and joining marks, final sigma, emoji, flags, spaces of all kinds.
  constexpr std::string_view kPieces[] = {"a",
                                          "B",
                                          "1",
                                          ".",
                                          "'",
                                          ",",
                                          " ",
                                          "\n",
                                          "\t",
                                          "\xC3\x89",
                                          "\xCC\x81",
                                          "\xE2\x80\x8D",
                                          "\xCE\xA3",
                                          "\xD7\x90",
                                          "\"",
                                          "\xE4\xB8\xAD",
                                          "\xE6\x96\x87",
                                          "\xE3\x82\xAB",
                                          "\xE3\x81\xB2",
                                          "\xEA\xB0\x80",
                                          "\xF0\x9F\x91\xA9",
                                          "\xF0\x9F\x87\xA9",
                                          "\xF0\x9F\x87\xAA",
                                          "\xC2\xA0",
                                          "\xE3\x80\x80",
                                          "\xE2\x80\x99",
                                          "\xC2\xAD",
                                          "\xEF\xBB\xBF",
                                          "\xC4\xB0",
                                          "\xC2\x85",
                                          "\xE2\x80\xAF",
                                          "\xE2\x80\x8B",
                                          "\xE2\x80\x8E",
                                          "\xE2\x81\xA0",
                                          "e",
                                          "\xE0\xB8\x81",
                                          "\xE0\xB8\xB2",
                                          "_",
                                          ":"};
  Philox random(12);
  for (const bool lower_case : {false, true}) {
    Tokenizer tokenizer({.lower_case = lower_case});
    for (int round = 0; round < 20000; ++round) {
      const std::string text = random_text(random, kPieces, 12);
      const Tokens expected = reference_words(text, lower_case);
      if (tokenizer.tokenize(text) != expected) FAIL("differs from ICU on: " << text);
    }
  }
}

TEST_CASE("what looks the same is one word: composed or not, with what nobody sees or without") {
  Tokenizer tokenizer;
  CHECK(tokenizer.tokenize("the\xCC\x81 th\xC3\xA9") == Tokens{"th\xC3\xA9", "th\xC3\xA9"});
  // Narrow no-break spaces, as before French marks and within numbers.
  CHECK(tokenizer.tokenize("Bonjour\xE2\x80\xAF! J'ai\xE2\x80\xAFtout 10\xE2\x80\xAF"
                           "000") == Tokens{"bonjour", "!", "j'ai", "tout", "10", "000"});
  // Soft hyphen, marks of direction, byte-order mark, word joiner; the zero-width space separates.
  CHECK(tokenizer.tokenize("hel\xC2\xADlo hello\xE2\x80\x8E \xE2\x80\x8Fhello\xEF\xBB\xBF \xE2\x81\xA0hello") ==
        Tokens{"hello", "hello", "hello", "hello"});
  CHECK(tokenizer.tokenize("a\xE2\x80\x8B"
                           "b \xE2\x80\x8E") == Tokens{"a", "b"});
  // Joiners and the tags of flags make other characters.
  const std::string family = "\xF0\x9F\x91\xA9\xE2\x80\x8D\xF0\x9F\x91\xA7", persian = "\xD9\x85\xE2\x80\x8C\xD9\x85",
                    scotland = "\xF0\x9F\x8F\xB4\xF3\xA0\x81\xA7\xF3\xA0\x81\xA2\xF3\xA0\x81\xBF";
  CHECK(tokenizer.tokenize(family + " " + persian + " " + scotland) == Tokens{family, persian, scotland});
  Tokenizer letters({.unit = TokenUnit::alphanumeric});
  CHECK(letters.tokenize("hel\xC2\xADlo the\xCC\x81") == Tokens{"hello", "th\xC3\xA9"});
  // Text that is tokenised already is only composed.
  Tokenizer whitespace({.unit = TokenUnit::whitespace});
  CHECK(whitespace.tokenize("t\xC2\xADhe\xCC\x81\xE2\x80\xAF!") == Tokens{"t\xC2\xADh\xC3\xA9\xE2\x80\xAF!"});
}

TEST_CASE("characters are code points or graphemes, white space among them") {
  const std::string text = "A e\xCC\x81\r\n\xF0\x9F\x87\xA9\xF0\x9F\x87\xAA";
  Tokenizer points({.unit = TokenUnit::code_point});
  CHECK(points.tokenize(text) == Tokens{"a", " ", "\xC3\xA9", "\r", "\n", "\xF0\x9F\x87\xA9", "\xF0\x9F\x87\xAA"});
  Tokenizer graphemes({.unit = TokenUnit::grapheme, .lower_case = false});
  CHECK(graphemes.tokenize(text) == Tokens{"A", " ", "\xC3\xA9", "\r\n", "\xF0\x9F\x87\xA9\xF0\x9F\x87\xAA"});
  CHECK(graphemes.tokenize("a\r\nb\r") == Tokens{"a", "\r\n", "b", "\r"});
}

TEST_CASE("text that is tokenised already is cut at white space alone") {
  Tokenizer tokenizer({.unit = TokenUnit::whitespace});
  CHECK(tokenizer.tokenize(" it 's  <unk>\n\xC3\x89t\xC3\xA9. ") == Tokens{"it", "'s", "<unk>", "\xC3\xA9t\xC3\xA9."});
}

TEST_CASE("alphanumeric words are split at all that is no letter, digit or underscore, which vanishes") {
  Tokenizer tokenizer({.unit = TokenUnit::alphanumeric});
  CHECK(tokenizer.tokenize("The CAT, isn't (3.14) snake_case -- here...\n") ==
        Tokens{"the", "cat", "isn", "t", "3", "14", "snake_case", "here"});
  CHECK(tokenizer.tokenize("...a<br />b").size() == 3);
  CHECK(tokenizer.tokenize("").empty());
  CHECK(tokenizer.tokenize(" \t.,;!?\x01\x7F").empty());
  // Letters and digits of all scripts, quotes that are none; a superscript and a Roman numeral are numbers.
  CHECK(tokenizer.tokenize("\xC3\x89T\xC3\x89\xE2\x80\x9Cna\xC3\xAFve\xE2\x80\x9D\xD9\xA3 m\xC2\xB2 \xE2\x85\xA7") ==
        Tokens{"\xC3\xA9t\xC3\xA9", "na\xC3\xAFve", "\xD9\xA3", "m\xC2\xB2", "\xE2\x85\xB7"});
  // Marks stay with what they stand upon; alone they are no word, so that an emoji and its variant leave nothing.
  CHECK(tokenizer.tokenize("e\xCC\x81te\xCC\x81. \xE0\xA4\xB9\xE0\xA4\xBF \xE2\x9D\xA4\xEF\xB8\x8F a.\xCC\x81z") ==
        Tokens{"\xC3\xA9t\xC3\xA9", "\xE0\xA4\xB9\xE0\xA4\xBF", "a", "z"});
  CHECK(tokenizer.tokenize("\xE4\xB8\xAD\xE6\x96\x87\xE3\x80\x82\xE4\xB8\xAD") ==
        Tokens{"\xE4\xB8\xAD\xE6\x96\x87", "\xE4\xB8\xAD"});
  CHECK(tokenizer.tokenize("caf\xFF"
                           "e") == Tokens{"caf", "e"});  // U+FFFD is no letter
  CHECK(tokenizer.invalid_sequences() == 1);
  Tokenizer cased({.unit = TokenUnit::alphanumeric, .lower_case = false});
  CHECK(cased.tokenize("The-Cat \xC3\x89") == Tokens{"The", "Cat", "\xC3\x89"});
}

TEST_CASE("alphanumeric words of ASCII are cut as those beside other letters") {
  Philox random(14);
  Tokenizer tokenizer({.unit = TokenUnit::alphanumeric});
  for (int round = 0; round < 5000; ++round) {
    std::string text;
    for (std::uint64_t n = uniform_index(random, 24); n > 0; --n)
      text += static_cast<char>('!' + uniform_index(random, 94));
    Tokens tokens = tokenizer.tokenize(text);
    tokens.emplace_back("\xC3\xA9");
    REQUIRE(tokenizer.tokenize(text + "-\xC3\x89") == tokens);
  }
}

TEST_CASE("ill-formed UTF-8 is replaced and counted, or refused") {
  Tokenizer tokenizer;
  CHECK(tokenizer.tokenize("Caf\xE9 \xFF\xFE x") == Tokens{"caf", "\xEF\xBF\xBD", "\xEF\xBF\xBD", "\xEF\xBF\xBD", "x"});
  CHECK(tokenizer.invalid_sequences() == 3);
  Tokenizer strict({.invalid_utf8 = InvalidUtf8::error});
  CHECK(contains(error_of<DataError>([&] {
                   strict.tokenize(
                       "fine caf\xC3\xA9 b\xE9"
                       "d");
                 }),
                 "byte 0xe9 at offset 12"));
  CHECK(strict.tokenize("fine") == Tokens{"fine"});
}

// It takes a gigabyte of memory: run with --no-skip.
TEST_CASE("a text that grows too long for ICU by its repair is refused" * doctest::skip()) {
  const std::string text(std::size_t{190} << 20, '\xFF');
  Tokenizer tokenizer({.unit = TokenUnit::code_point});
  CHECK(contains(error_of<DataError>([&] { tokenizer.for_each(text, [](std::string_view) {}); }),
                 "text of 597688320 bytes is too long to tokenise"));
}

TEST_CASE("random bytes give valid UTF-8 tokens in every mode") {
  Philox random(13);
  for (const TokenUnit unit :
       {TokenUnit::word, TokenUnit::alphanumeric, TokenUnit::whitespace, TokenUnit::code_point, TokenUnit::grapheme}) {
    Tokenizer tokenizer({.unit = unit});
    for (int round = 0; round < 2000; ++round) {
      std::string text;
      for (std::uint64_t n = uniform_index(random, 40); n > 0; --n)
        text += static_cast<char>(uniform_index(random, 256));
      std::string joined;
      tokenizer.for_each(text, [&](std::string_view token) {
        REQUIRE(!token.empty());
        REQUIRE(find_invalid_utf8(token) == std::string::npos);
        joined += token;
      });
      if (unit == TokenUnit::code_point || unit == TokenUnit::grapheme) {
        UErrorCode status = U_ZERO_ERROR;
        const icu::UnicodeString units =
            icu::UnicodeString::fromUTF8(repaired_utf8(text)).toLower(icu::Locale::getRoot());
        std::string expected;
        icu::Normalizer2::getNFCInstance(status)->normalize(units, status).toUTF8String(expected);
        REQUIRE(joined == expected);
      }
    }
    CHECK(tokenizer.invalid_sequences() > 0);
  }
}

}  // namespace eddy
