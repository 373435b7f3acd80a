// SPDX-License-Identifier: Apache-2.0
#include "eddy/data/number_stories.h"

#include <algorithm>
#include <array>

#include "eddy/core/error.h"

namespace eddy {

namespace {

constexpr std::array<const char*, 25> kNumbers = {
    "one",        "two",          "three",       "four",       "five",     "six",      "seven",
    "eight",      "nine",         "ten",         "eleven",     "twelve",   "thirteen", "fourteen",
    "fifteen",    "sixteen",      "seventeen",   "eighteen",   "nineteen", "twenty",   "twenty_one",
    "twenty_two", "twenty_three", "twenty_four", "twenty_five"};
constexpr std::size_t kSteps = 5;

}  // namespace

EncodedPairs number_stories() {
  std::vector<std::string> words;
  for (std::size_t i = 0; i < kNumbers.size(); ++i) {
    words.push_back(fmt::format("{}", i + 1));
    words.emplace_back(kNumbers[i]);
  }
  std::sort(words.begin(), words.end());
  words.insert(words.begin(), "<pad>");
  const TokenSet tokens(words, {.pad = 0, .go = 0});
  PairCollector collector(tokens, tokens);
  for (std::size_t first = 0; first < kNumbers.size(); first += kSteps) {
    std::vector<std::int32_t> digits;
    std::vector<std::int32_t> english;
    for (std::size_t i = first; i < first + kSteps; ++i) {
      digits.push_back(tokens.find(fmt::format("{}", i + 1)));
      english.push_back(tokens.find(kNumbers[i]));
    }
    collector.add(digits, english, fmt::format("story {}", first / kSteps + 1));
  }
  return std::move(collector).finish();
}

}  // namespace eddy
