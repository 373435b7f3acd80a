// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "eddy/data/token_table.h"
#include "eddy/data/vocabulary.h"

namespace eddy {

/// Ids with a meaning of their own; -1 where a set has none.
struct SpecialTokens {
  /// Fills what the masks leave out; 0 fills it where there is no such id.
  std::int32_t pad = -1;
  /// What a decoder reads before the first token of the target.
  std::int32_t go = -1;
  /// What a decoder predicts after the last token of the target; without one, targets have a length known beforehand.
  std::int32_t end = -1;
  /// Stands for tokens that are not in the set.
  std::int32_t unknown = -1;

  friend bool operator==(const SpecialTokens&, const SpecialTokens&) = default;
};

/// The tokens of one side of a pair, with any ids that a task prescribes, unlike Vocabulary, whose first ids are fixed.
/// Immutable; concurrent reads are safe.
class TokenSet {
 public:
  TokenSet() = default;
  /// Tokens by id. Throws DataError for an empty or repeated token, or a special id that is out of range.
  TokenSet(std::span<const std::string> tokens, const SpecialTokens& specials);
  /// The vocabulary's ids and, after them, `<go>`: it is read by a decoder but never predicted, so it needs a row of
  /// the embedding and no class.
  explicit TokenSet(const Vocabulary& vocabulary);

  /// Number of ids, the rows of an embedding.
  std::int32_t size() const { return table_.size(); }
  /// Ids that may be predicted, the columns of a softmax: all, but without `go` where that is the last one.
  std::int32_t classes() const { return specials_.go >= 0 && specials_.go == size() - 1 ? size() - 1 : size(); }
  const SpecialTokens& specials() const { return specials_; }

  /// Id of a token; the unknown one (-1 without) when it is not there.
  std::int32_t find(std::string_view token) const {
    const std::int32_t id = table_.find(token);
    return id < 0 ? specials_.unknown : id;
  }
  /// Throws DataError when out of range. The view lives as long as this set.
  std::string_view text(std::int32_t id) const;
  /// The tokens up to the first `end`, without `go` and `pad`. Throws DataError for an id out of range.
  std::vector<std::string> texts(std::span<const std::int32_t> ids) const;
  /// The same as one text.
  std::string join(std::span<const std::int32_t> ids, std::string_view separator = " ") const;

  /// All texts by id, to stand in the metadata of a checkpoint.
  std::vector<std::string> tokens() const;

  friend bool operator==(const TokenSet& a, const TokenSet& b);

 private:
  TokenTable table_;
  SpecialTokens specials_;
};

}  // namespace eddy
