// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "eddy/core/file.h"

namespace eddy {

/// The arrays of a corpus while it is made: `offsets` starts as {0} and gets the end of each document.
struct CorpusArrays {
  std::vector<std::int32_t> tokens;
  std::vector<std::int64_t> offsets = {0};
  std::vector<std::int32_t> labels;
  /// Ids one after another, and where each ends.
  std::string id_text;
  std::vector<std::int64_t> id_ends;
  /// As Document's; empty when no document has one.
  std::vector<std::int64_t> groups = {};

  /// Closes a document whose tokens have been appended.
  void end_document(int label, std::string_view id, std::int64_t group = -1);
};

/// Documents as token ids: one flat array with offsets, labels, groups (-1 = none) and ids. Immutable; copies share the
/// arrays, which may be those of a cache file. Concurrent reads are safe. Spans and ids live as long as a corpus with
/// these arrays; indices of documents are not checked.
class EncodedCorpus {
 public:
  EncodedCorpus() : EncodedCorpus(CorpusArrays{}) {}
  /// Takes the arrays over. Throws DataError when they do not fit together, as below.
  explicit EncodedCorpus(CorpusArrays arrays);
  /// Arrays inside a mapped file, whose pages can be dropped; offsets has one more element than labels and id_ends,
  /// and groups as many as labels or none. Throws DataError when offsets or id_ends are not rising within their texts.
  EncodedCorpus(std::shared_ptr<const MappedFile> file, std::span<const std::int32_t> tokens,
                std::span<const std::int64_t> offsets, std::span<const std::int32_t> labels, std::string_view id_text,
                std::span<const std::int64_t> id_ends, std::span<const std::int64_t> groups);

  /// The same documents, those from `count` on without their label. Shares all but the labels.
  EncodedCorpus labelled_until(std::int32_t count) const;

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
  /// -1: none.
  std::int64_t group(std::int32_t i) const { return groups_.empty() ? -1 : groups_[static_cast<std::size_t>(i)]; }

  std::span<const std::int32_t> tokens() const { return tokens_; }
  std::span<const std::int64_t> offsets() const { return offsets_; }
  std::span<const std::int32_t> labels() const { return labels_; }
  /// Lets go of what has been read of a mapped file; other corpora lose nothing. Concurrent reads are safe.
  void drop_pages() const noexcept {
    if (file_ != nullptr) file_->drop_pages();
  }
  /// Calls `visit` on pieces of one of the corpus's arrays, from first to last, dropping pages between them: a walk
  /// over an array of any size in bounded memory.
  template <class T, class Visit>
  void scan(std::span<const T> values, Visit&& visit) const {
    constexpr std::size_t piece = (std::size_t{1} << 24) / sizeof(T);
    for (std::size_t at = 0; at < values.size(); at += piece) {
      visit(values.subspan(at, std::min(piece, values.size() - at)));
      drop_pages();
    }
  }

  std::string_view id_text() const { return id_text_; }
  std::span<const std::int64_t> id_ends() const { return id_ends_; }
  std::span<const std::int64_t> groups() const { return groups_; }

 private:
  void check() const;

  std::shared_ptr<const void> owner_;
  const MappedFile* file_ = nullptr;  // the owner, where it is one
  std::span<const std::int32_t> tokens_;
  std::span<const std::int64_t> offsets_;
  std::span<const std::int32_t> labels_;
  std::string_view id_text_;
  std::span<const std::int64_t> id_ends_;
  std::span<const std::int64_t> groups_;
};

/// Drops the pages of a mapped corpus after every so many documents read from it, so that a reader of random documents
/// keeps a bounded part of the file in memory. A plain value, one for each reader.
class PageBudget {
 public:
  void read(const EncodedCorpus& corpus, std::int64_t tokens) {
    // The system maps the neighbourhood of what is read as well, 64 KiB as a rule.
    used_ += tokens * static_cast<std::int64_t>(sizeof(std::int32_t)) + (std::int64_t{1} << 16);
    if (used_ < (std::int64_t{1} << 24)) return;
    corpus.drop_pages();
    used_ = 0;
  }

 private:
  std::int64_t used_ = 0;
};

}  // namespace eddy
