// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal: part of encoding.

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "eddy/core/error.h"
#include "eddy/core/interrupt.h"
#include "eddy/data/encode.h"

namespace eddy {

/// Tokens of a text that comes from a file; errors name it: "document a.txt:3: byte 0xff …".
template <class Sink>
void tokenize_named(std::string_view kind, std::string_view id, std::string_view text, Tokenizer& tokenizer,
                    Sink&& sink) {
  stop_if_interrupted();
  try {
    tokenizer.for_each(text, std::forward<Sink>(sink));
  } catch (const DataError& error) {
    fail<DataError>("{} {}: {}", kind, id, error.what());
  }
}

/// What becomes of a token that was `found` in the vocabulary, or not when that is negative; again negative when it
/// vanishes.
inline std::int32_t id_under(OutOfVocabulary rule, std::int32_t found) {
  return found < 0 && rule == OutOfVocabulary::unknown ? Vocabulary::kUnknown : found;
}

/// A sink of tokens that appends their ids.
struct IdAppender {
  const Vocabulary& vocabulary;
  OutOfVocabulary unknown;
  std::vector<std::int32_t>& ids;

  void operator()(std::string_view token) const {
    const std::int32_t id = id_under(unknown, vocabulary.find(token));
    if (id >= 0) ids.push_back(id);
  }
};

}  // namespace eddy
