// SPDX-License-Identifier: Apache-2.0
#include "eddy/data/digit_patterns.h"

#include <algorithm>
#include <array>
#include <functional>
#include <limits>
#include <utility>

#include "eddy/core/error.h"
#include "eddy/core/number_text.h"
#include "eddy/core/random.h"

namespace eddy {

namespace {

constexpr std::array<std::pair<std::string_view, DigitPattern>, 3> kNames = {
    {{"sorted", DigitPattern::sorted}, {"reversed", DigitPattern::reversed}, {"maxmin_dup", DigitPattern::maxmin_dup}}};
constexpr int kDigits = 10;

}  // namespace

DigitPattern parse_digit_pattern(std::string_view name) {
  for (const auto& [known, pattern] : kNames)
    if (known == name) return pattern;
  fail<UsageError>("pattern \"{}\" is not one of sorted, reversed, maxmin_dup", name);
}

std::string_view to_string(DigitPattern pattern) {
  for (const auto& [name, known] : kNames)
    if (known == pattern) return name;
  return "unknown";
}

std::vector<std::int32_t> apply_pattern(DigitPattern pattern, std::span<const std::int32_t> digits) {
  std::vector<std::int32_t> result(digits.begin(), digits.end());
  switch (pattern) {
    case DigitPattern::sorted:
      std::sort(result.begin(), result.end());
      break;
    case DigitPattern::reversed:
      std::reverse(result.begin(), result.end());
      break;
    case DigitPattern::maxmin_dup: {
      require<UsageError>(result.size() >= 2, "pattern maxmin_dup of {}; expected at least 2",
                          counted(std::ssize(result), "digit"));
      const auto [low, high] = std::minmax_element(digits.begin(), digits.end());
      result[0] = *high;
      result[1] = *low;
      break;
    }
  }
  return result;
}

EncodedPairs digit_patterns(const DigitPatternOptions& options) {
  const int output = options.output_length == 0 ? options.input_length : options.output_length;
  require<UsageError>(options.input_length >= 1 && output >= 1 && output <= options.input_length,
                      "patterns of {} from {}; expected lengths from 1, the output no longer than the input",
                      counted(output, "digit"), counted(options.input_length, "digit"));
  require<UsageError>(options.samples >= 1 && options.samples <= std::numeric_limits<std::int32_t>::max() / 2,
                      "{} samples asked for; expected 1 to {}", options.samples,
                      std::numeric_limits<std::int32_t>::max() / 2);
  std::vector<std::string> tokens;
  for (int digit = 0; digit < kDigits; ++digit) tokens.push_back(fmt::format("{}", digit));
  const TokenSet source_tokens(tokens, {});
  tokens.emplace_back("<go>");
  PairCollector collector(source_tokens, TokenSet(tokens, {.go = kDigits}));
  Philox random(options.seed, stable_hash("digit patterns"));
  std::vector<std::int32_t> digits(static_cast<std::size_t>(options.input_length));
  for (std::int64_t sample = 0; sample < options.samples; ++sample) {
    for (std::int32_t& digit : digits) digit = static_cast<std::int32_t>(uniform_index(random, kDigits));
    const std::vector<std::int32_t> pattern = apply_pattern(options.pattern, digits);
    collector.add(digits, std::span(pattern).first(static_cast<std::size_t>(output)), fmt::format("{}", sample));
  }
  return std::move(collector).finish();
}

}  // namespace eddy
