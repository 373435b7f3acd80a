// SPDX-License-Identifier: Apache-2.0
#include "eddy/experiments/validation_split.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <span>

#include "eddy/core/error.h"
#include "eddy/core/number_text.h"
#include "eddy/core/random.h"

namespace eddy {
namespace {

/// Moves whole groups to the front, in the order they come by, as many as go into `kept` documents; documents without
/// a group are moved one by one. Returns how many stand there: all when there is but one group.
std::size_t groups_to_front(std::vector<std::int32_t>& documents, const EncodedCorpus& corpus, std::size_t kept) {
  std::map<std::int64_t, std::vector<std::int32_t>> groups;
  for (const std::int32_t document : documents) groups[corpus.group(document)].push_back(document);
  std::vector<std::int32_t> chosen, others;
  for (const std::int32_t document : documents) {
    const std::int64_t group = corpus.group(document);
    if (group >= 0 && groups[group].front() != document) continue;
    const std::span<const std::int32_t> together =
        group >= 0 ? std::span<const std::int32_t>(groups[group]) : std::span<const std::int32_t>(&document, 1);
    // The first in any case: a part of one group is better than none.
    auto& to = chosen.empty() || chosen.size() + together.size() <= kept ? chosen : others;
    to.insert(to.end(), together.begin(), together.end());
  }
  documents = chosen;
  documents.insert(documents.end(), others.begin(), others.end());
  return chosen.size();
}

}  // namespace

ValidationSplit split_validation(const TrainingConfig& config, const EncodedCorpus& corpus) {
  ValidationSplit split;
  for (std::int32_t i = 0; i < corpus.size(); ++i) {
    // Unlabelled text can join in training but says nothing about errors, nor does one without words about words.
    const bool candidate = is_classification(config.task) ? corpus.label(i) >= 0 : corpus.length(i) > 0;
    (candidate ? split.validation : split.train).push_back(i);
  }
  auto& candidates = split.validation;
  Philox random(config.seed, stable_hash("validation"));
  shuffle(std::span(candidates), random);
  auto kept =
      static_cast<std::size_t>(std::llround(config.validation_fraction * static_cast<double>(candidates.size())));
  if (config.validation_fraction > 0) {
    require<DataError>(candidates.size() >= 2,
                       "{} cannot be split into training and validation (--validation 0 keeps none for it)",
                       counted(std::ssize(candidates), "document"));
    kept = std::clamp<std::size_t>(kept, 1, candidates.size() - 1);
    if (config.validation_by_group && !corpus.groups().empty()) {
      kept = groups_to_front(candidates, corpus, kept);
      require<DataError>(kept < candidates.size(),
                         "{} in all, of one group; expected several groups to keep some for validation "
                         "(--mixed-validation tears groups apart)",
                         counted(std::ssize(candidates), "labelled document"));
    }
  }
  split.train.insert(split.train.end(), candidates.begin() + static_cast<std::ptrdiff_t>(kept), candidates.end());
  candidates.resize(kept);
  std::ranges::sort(split.train);
  std::ranges::sort(split.validation);
  return split;
}

}  // namespace eddy
