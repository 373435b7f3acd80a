// SPDX-License-Identifier: Apache-2.0
#include "eddy/data/token_set.h"

#include "eddy/core/error.h"
#include "eddy/core/number_text.h"

namespace eddy {

TokenSet::TokenSet(std::span<const std::string> tokens, const SpecialTokens& specials) : specials_(specials) {
  for (std::size_t id = 0; id < tokens.size(); ++id) {
    require<DataError>(!tokens[id].empty(), "token {} is empty", id);
    const std::int32_t number = table_.insert(tokens[id]);
    require<DataError>(number == static_cast<std::int32_t>(id), "tokens {} and {} are both \"{}\"", number, id,
                       tokens[id]);
  }
  for (const std::int32_t special : {specials.pad, specials.go, specials.end, specials.unknown})
    require<DataError>(special >= -1 && special < size(), "special token {} of {}; expected -1 for none or an id",
                       special, counted(size(), "token"));
}

TokenSet::TokenSet(const Vocabulary& vocabulary) {
  std::vector<std::string> tokens = vocabulary.tokens();
  std::string go = "<go>";
  while (vocabulary.find(go) >= 0) go = "<" + go + ">";  // a text's own "<go>" is a token like others
  tokens.push_back(go);
  *this =
      TokenSet(tokens, {.go = vocabulary.size(), .end = Vocabulary::kEndOfSequence, .unknown = Vocabulary::kUnknown});
}

std::string_view TokenSet::text(std::int32_t id) const {
  require<DataError>(id >= 0 && id < size(), "token {} asked for, there are {}", id, size());
  return table_.text(id);
}

std::vector<std::string> TokenSet::texts(std::span<const std::int32_t> ids) const {
  std::vector<std::string> result;
  for (const std::int32_t id : ids) {
    if (id == specials_.end && id >= 0) break;
    const std::string_view token = text(id);
    if (id != specials_.go && id != specials_.pad) result.emplace_back(token);
  }
  return result;
}

std::string TokenSet::join(std::span<const std::int32_t> ids, std::string_view separator) const {
  std::string joined;
  for (const std::string& token : texts(ids)) {
    if (!joined.empty()) joined += separator;
    joined += token;
  }
  return joined;
}

std::vector<std::string> TokenSet::tokens() const {
  std::vector<std::string> all;
  all.reserve(static_cast<std::size_t>(size()));
  for (std::int32_t id = 0; id < size(); ++id) all.emplace_back(table_.text(id));
  return all;
}

bool operator==(const TokenSet& a, const TokenSet& b) { return a.specials_ == b.specials_ && a.tokens() == b.tokens(); }

}  // namespace eddy
