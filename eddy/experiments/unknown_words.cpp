// SPDX-License-Identifier: Apache-2.0
#include "eddy/experiments/unknown_words.h"

#include <algorithm>

#include "eddy/core/error.h"
#include "eddy/core/number_text.h"

namespace eddy {

std::vector<std::string> replace_unknown(std::span<const std::int32_t> ids, const TokenSet& tokens,
                                         std::span<const std::string> source_words, std::span<const float> attention,
                                         std::int64_t source_time, bool reversed) {
  const auto width = static_cast<std::size_t>(std::max<std::int64_t>(source_time, 0));
  const std::size_t words = source_words.size();
  require<UsageError>(words <= width && attention.size() >= ids.size() * width,
                      "{} cannot be those of {} over {} with {}", counted(std::ssize(attention), "attention weight"),
                      counted(std::ssize(ids), "token"), counted(source_time, "step"),
                      counted(std::ssize(source_words), "source word"));
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (ids[i] != tokens.specials().unknown || words == 0) {
      texts.emplace_back(tokens.text(ids[i]));
      continue;
    }
    const auto weight = [&](std::size_t word) { return attention[i * width + (reversed ? words - 1 - word : word)]; };
    std::size_t best = 0;
    for (std::size_t word = 1; word < words; ++word)
      if (weight(word) > weight(best)) best = word;
    texts.push_back(source_words[best]);
  }
  return texts;
}

}  // namespace eddy
