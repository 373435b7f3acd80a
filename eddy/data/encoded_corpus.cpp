// SPDX-License-Identifier: Apache-2.0
#include "eddy/data/encoded_corpus.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "eddy/core/error.h"
#include "eddy/core/number_text.h"

namespace eddy {

namespace {

bool rises_to(const EncodedCorpus& corpus, std::span<const std::int64_t> values, std::int64_t last) {
  std::int64_t before = 0;
  bool rises = true;
  corpus.scan(values, [&](std::span<const std::int64_t> piece) {
    for (const std::int64_t value : piece) {
      rises = rises && value >= before;
      before = value;
    }
  });
  return rises && before == last;
}

}  // namespace

void CorpusArrays::end_document(int label, std::string_view id, std::int64_t group) {
  if (group >= 0) groups.resize(labels.size(), -1);
  if (group >= 0 || !groups.empty()) groups.push_back(group);
  offsets.push_back(static_cast<std::int64_t>(tokens.size()));
  labels.push_back(label);
  id_text.append(id);
  id_ends.push_back(static_cast<std::int64_t>(id_text.size()));
}

EncodedCorpus::EncodedCorpus(CorpusArrays arrays) {
  const auto owned = std::make_shared<const CorpusArrays>(std::move(arrays));
  tokens_ = owned->tokens;
  offsets_ = owned->offsets;
  labels_ = owned->labels;
  id_text_ = owned->id_text;
  id_ends_ = owned->id_ends;
  groups_ = owned->groups;
  owner_ = owned;
  check();
}

EncodedCorpus::EncodedCorpus(std::shared_ptr<const MappedFile> file, std::span<const std::int32_t> tokens,
                             std::span<const std::int64_t> offsets, std::span<const std::int32_t> labels,
                             std::string_view id_text, std::span<const std::int64_t> id_ends,
                             std::span<const std::int64_t> groups)
    : file_(file.get()),
      tokens_(tokens),
      offsets_(offsets),
      labels_(labels),
      id_text_(id_text),
      id_ends_(id_ends),
      groups_(groups) {
  owner_ = std::move(file);
  check();
}

EncodedCorpus EncodedCorpus::labelled_until(std::int32_t count) const {
  struct Owner {
    std::shared_ptr<const void> of_the_others;
    std::vector<std::int32_t> labels;
  };
  auto owner = std::make_shared<Owner>(Owner{owner_, {labels_.begin(), labels_.end()}});
  std::fill(owner->labels.begin() + std::clamp(count, 0, size()), owner->labels.end(), -1);
  EncodedCorpus corpus = *this;
  corpus.labels_ = owner->labels;
  corpus.owner_ = std::move(owner);
  return corpus;
}

void EncodedCorpus::check() const {
  require<DataError>(labels_.size() < static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max()),
                     "corpus of {} documents: expected fewer than 2147483647", labels_.size());
  require<DataError>(offsets_.size() == labels_.size() + 1 && id_ends_.size() == labels_.size(),
                     "corpus has {}, {} and {}", counted(std::ssize(labels_), "label"),
                     counted(std::ssize(offsets_), "offset"), counted(std::ssize(id_ends_), "id"));
  require<DataError>(groups_.empty() || groups_.size() == labels_.size(), "corpus has {} and {}",
                     counted(std::ssize(labels_), "label"), counted(std::ssize(groups_), "group"));
  require<DataError>(offsets_.front() == 0 && rises_to(*this, offsets_, static_cast<std::int64_t>(tokens_.size())),
                     "corpus offsets do not rise from 0 to its {}", counted(std::ssize(tokens_), "token"));
  require<DataError>(rises_to(*this, id_ends_, static_cast<std::int64_t>(id_text_.size())),
                     "corpus id ends do not rise to the {} of ids", counted(std::ssize(id_text_), "byte"));
}

std::int64_t EncodedCorpus::longest() const {
  std::int64_t most = 0;
  std::int64_t begin = 0;
  scan(offsets_, [&](std::span<const std::int64_t> piece) {
    for (const std::int64_t end : piece) most = std::max(most, end - std::exchange(begin, end));
  });
  return most;
}

std::string_view EncodedCorpus::id(std::int32_t i) const {
  const std::int64_t begin = i == 0 ? 0 : id_ends_[static_cast<std::size_t>(i) - 1];
  return id_text_.substr(static_cast<std::size_t>(begin),
                         static_cast<std::size_t>(id_ends_[static_cast<std::size_t>(i)] - begin));
}

}  // namespace eddy
