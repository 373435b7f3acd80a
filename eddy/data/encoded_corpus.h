// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace eddy {

/// The arrays of a corpus while it is made: `offsets` starts as {0} and gets the end of each document.
struct CorpusArrays {
  std::vector<std::int32_t> tokens;
  std::vector<std::int64_t> offsets = {0};
  std::vector<std::int32_t> labels;
  /// Ids one after another, and where each ends.
  std::string id_text;
  std::vector<std::int64_t> id_ends;

  /// Closes a document whose tokens have been appended.
  void end_document(int label, std::string_view id);
};

/// Documents as token ids: one flat array with offsets, labels (-1 = none) and ids. Immutable; copies share the
/// arrays, which may be those of a cache file. Concurrent reads are safe.
class EncodedCorpus {
 public:
  EncodedCorpus() : EncodedCorpus(CorpusArrays{}) {}
  explicit EncodedCorpus(CorpusArrays arrays);
  /// Arrays inside memory that `owner` keeps; offsets has one more element than labels and id_ends.
  /// Throws DataError when offsets or id_ends are not rising within their texts.
  EncodedCorpus(std::shared_ptr<const void> owner, std::span<const std::int32_t> tokens,
                std::span<const std::int64_t> offsets, std::span<const std::int32_t> labels, std::string_view id_text,
                std::span<const std::int64_t> id_ends);

  /// Number of documents.
  std::int32_t size() const { return static_cast<std::int32_t>(labels_.size()); }
  std::int64_t token_count() const { return static_cast<std::int64_t>(tokens_.size()); }
  /// Length of the longest document in tokens; 0 when there is none.
  std::int64_t longest() const;

  std::span<const std::int32_t> document(std::int32_t i) const {
    const auto begin = static_cast<std::size_t>(offsets_[static_cast<std::size_t>(i)]);
    return tokens_.subspan(begin, static_cast<std::size_t>(length(i)));
  }
  std::int64_t length(std::int32_t i) const {
    return offsets_[static_cast<std::size_t>(i) + 1] - offsets_[static_cast<std::size_t>(i)];
  }
  std::int32_t label(std::int32_t i) const { return labels_[static_cast<std::size_t>(i)]; }
  std::string_view id(std::int32_t i) const;

  std::span<const std::int32_t> tokens() const { return tokens_; }
  std::span<const std::int64_t> offsets() const { return offsets_; }
  std::span<const std::int32_t> labels() const { return labels_; }
  std::string_view id_text() const { return id_text_; }
  std::span<const std::int64_t> id_ends() const { return id_ends_; }

 private:
  void check() const;

  std::shared_ptr<const void> owner_;
  std::span<const std::int32_t> tokens_;
  std::span<const std::int64_t> offsets_;
  std::span<const std::int32_t> labels_;
  std::string_view id_text_;
  std::span<const std::int64_t> id_ends_;
};

}  // namespace eddy
