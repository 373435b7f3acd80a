// SPDX-License-Identifier: Apache-2.0
#include "eddy/data/additions.h"

#include <utility>

#include "eddy/core/error.h"

namespace eddy {

std::vector<TextPair> additions(int below) {
  require<UsageError>(below >= 1 && below <= 1000, "additions of numbers below {}; expected 1 to 1000", below);
  std::vector<TextPair> pairs;
  pairs.reserve(static_cast<std::size_t>(below) * static_cast<std::size_t>(below));
  for (int a = 0; a < below; ++a) {
    for (int b = 0; b < below; ++b) {
      std::string expression = fmt::format("{}+{}", a, b);
      pairs.push_back({expression, fmt::format("{}", a + b), expression});
    }
  }
  return pairs;
}

std::vector<std::string> addition_keys(std::span<const TextPair> pairs) {
  std::vector<std::string> keys;
  keys.reserve(pairs.size());
  for (const TextPair& pair : pairs) {
    const std::size_t plus = pair.source.find('+');
    require<DataError>(plus != std::string::npos, "pair {}: \"{}\" is no addition; expected a \"+\"", pair.id,
                       pair.source);
    std::string a = pair.source.substr(0, plus);
    std::string b = pair.source.substr(plus + 1);
    if (b < a) std::swap(a, b);
    keys.push_back(a + "+" + b);
  }
  return keys;
}

}  // namespace eddy
