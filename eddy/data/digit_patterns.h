// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "eddy/data/encoded_pairs.h"

/// Pure functions of plain values: safe to call concurrently.
namespace eddy {

/// What is made of a sequence of digits (ichuang/tflearn_seq2seq): the digits rising; last to first; or with the first
/// two replaced by the largest and the smallest.
enum class DigitPattern { sorted, reversed, maxmin_dup };

/// "sorted", "reversed" or "maxmin_dup"; UsageError for another name.
DigitPattern parse_digit_pattern(std::string_view name);
std::string_view to_string(DigitPattern pattern);

/// UsageError for maxmin_dup of fewer than two digits.
std::vector<std::int32_t> apply_pattern(DigitPattern pattern, std::span<const std::int32_t> digits);

struct DigitPatternOptions {
  DigitPattern pattern = DigitPattern::sorted;
  std::int64_t samples = 10000;
  int input_length = 10;
  /// The pattern's first digits; 0 = all.
  int output_length = 0;
  std::uint64_t seed = 1;
};

/// Random digits 0 to 9, each as likely, and their pattern. Digit d is id d; targets have one id more, 10, the go.
/// Both sides have fixed lengths and no end token. Throws UsageError for lengths that do not fit.
EncodedPairs digit_patterns(const DigitPatternOptions& options = {});

}  // namespace eddy
