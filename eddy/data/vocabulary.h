// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "eddy/data/token_table.h"

namespace eddy {

/// How often a token was counted, and in how many documents.
struct TokenCount {
  std::int64_t count = 0;
  std::int64_t documents = 0;
  /// Numbers of the first and the last of these documents; -1 without any.
  std::int64_t first_document = -1;
  std::int64_t last_document = -1;

  /// One occurrence, in a document that is the last one or a later one.
  void add(std::int64_t document) {
    ++count;
    if (document == last_document) return;
    if (documents++ == 0) first_document = document;
    last_document = document;
  }
  /// What was counted afterwards. A document that both have counts once.
  void append(const TokenCount& later) {
    count += later.count;
    if (later.documents == 0) return;
    const bool shared = later.first_document == last_document;
    if (documents == 0) first_document = later.first_document;
    documents += later.documents - (shared ? 1 : 0);
    last_document = later.last_document;
  }
};

/// Counts tokens and texts; the raw material of a vocabulary. One thread at a time; indices are not checked.
class TokenCounter {
 public:
  /// `documents`: how many came before, for a counter that goes on where another one stopped.
  explicit TokenCounter(std::int64_t documents = 0) : documents_(documents) {}

  /// Counts one occurrence; returns the token's number in table().
  std::int32_t add(std::string_view token) {
    const std::int32_t number = add_uncounted(token);
    counts_[static_cast<std::size_t>(number)].add(documents_);
    return number;
  }
  /// Numbers a token without counting it, for text that must not shape the vocabulary.
  std::int32_t add_uncounted(std::string_view token) {
    const std::int32_t number = table_.insert(token);
    if (number == static_cast<std::int32_t>(counts_.size())) counts_.emplace_back();
    return number;
  }
  /// Called before the tokens of each document, or after those of each: tokens between two calls are of one document.
  void add_document() { ++documents_; }

  const TokenTable& table() const { return table_; }
  std::int64_t count(std::int32_t number) const { return counted(number).count; }
  const TokenCount& counted(std::int32_t number) const { return counts_[static_cast<std::size_t>(number)]; }
  std::int64_t documents() const { return documents_; }

 private:
  TokenTable table_;
  std::vector<TokenCount> counts_;
  std::int64_t documents_;
};

struct VocabularyOptions {
  /// Rarer tokens are left out.
  std::int64_t min_count = 1;
  /// And so are those of fewer different documents.
  std::int64_t min_documents = 1;
  /// Most entries, the special tokens among them; 0 = no cap.
  std::int64_t max_size = 0;
};

/// Whether a token is frequent enough.
inline bool is_kept(const TokenCount& counted, const VocabularyOptions& options) {
  return counted.count >= options.min_count && counted.documents >= options.min_documents;
}

/// Tokens and their ids, 0 to size()-1. Id 0 is `<unk>` and id 1 `<eos>`; the others follow by falling count, equal
/// counts by the bytes of the text. Padding is done with masks, so it has no id. Immutable; concurrent reads are safe.
class Vocabulary {
 public:
  static constexpr std::int32_t kUnknown = 0;
  static constexpr std::int32_t kEndOfSequence = 1;
  static constexpr std::int32_t kSpecials = 2;

  /// Only the special tokens.
  Vocabulary();
  /// The counts of `<unk>` and `<eos>` are those of the tokens left out and of the documents. A text's own "<unk>"
  /// or "<eos>" means the special token. Throws UsageError for a minimum below 1 or a cap below
  /// 2.
  Vocabulary(const TokenCounter& counter, const VocabularyOptions& options);
  /// Tokens by id with their counts, as from tokens() and counts(). Throws DataError when the special tokens are not
  /// first, a token is empty or stands twice, a count is negative, or the lists differ in length.
  static Vocabulary from_lists(std::span<const std::string> tokens, std::span<const std::int64_t> counts);

  /// Id of a token; kUnknown when it is not there.
  std::int32_t encode(std::string_view token) const {
    const std::int32_t id = table_.find(token);
    return id < 0 ? kUnknown : id;
  }
  /// Id of a token; -1 when it is not there.
  std::int32_t find(std::string_view token) const { return table_.find(token); }
  /// Text of an id; throws DataError when out of range. The view lives as long as this vocabulary.
  std::string_view decode(std::int32_t id) const;
  /// Texts of the ids with a space between. Throws as the other.
  std::string decode(std::span<const std::int32_t> ids) const;

  std::int32_t size() const { return table_.size(); }
  /// How often it was counted; throws DataError when out of range.
  std::int64_t count(std::int32_t id) const;

  /// Everything as plain lists, to stand in the metadata of a checkpoint.
  std::vector<std::string> tokens() const;
  const std::vector<std::int64_t>& counts() const { return counts_; }

  friend bool operator==(const Vocabulary& a, const Vocabulary& b);

 private:
  /// The token of the next id; DataError for one that cannot be it.
  void take(std::size_t id, std::string_view token, std::int64_t count);

  TokenTable table_;
  std::vector<std::int64_t> counts_;
};

}  // namespace eddy
