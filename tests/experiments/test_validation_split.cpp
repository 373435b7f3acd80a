// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <algorithm>
#include <numeric>
#include <set>

#include "eddy/core/error.h"
#include "eddy/experiments/validation_split.h"

namespace eddy {
namespace {

/// Documents 0 to 199 of groups of 1 to 9 documents each, then 50 without a group, then 30 without a label.
EncodedCorpus grouped_corpus() {
  CorpusArrays arrays;
  std::int64_t group = 0, left = 1;
  for (int i = 0; i < 280; ++i) {
    if (--left < 0) left = ++group % 9;
    arrays.tokens.push_back(3);
    arrays.end_document(i < 250 ? i % 2 : -1, "", i < 200 ? group : -1);
  }
  return EncodedCorpus(std::move(arrays));
}

TrainingConfig config_of(bool by_group, std::uint64_t seed) {
  TrainingConfig config;
  config.task = TrainingTask::classifier;
  config.validation_fraction = 0.2;
  config.validation_by_group = by_group;
  config.seed = seed;
  return config;
}

std::set<std::int64_t> groups_of(const EncodedCorpus& corpus, const std::vector<std::int32_t>& documents) {
  std::set<std::int64_t> groups;
  for (const std::int32_t i : documents)
    if (corpus.group(i) >= 0) groups.insert(corpus.group(i));
  return groups;
}

std::size_t torn(const EncodedCorpus& corpus, const ValidationSplit& split) {
  const auto train = groups_of(corpus, split.train), validation = groups_of(corpus, split.validation);
  return static_cast<std::size_t>(
      std::ranges::count_if(validation, [&](std::int64_t group) { return train.contains(group); }));
}

TEST_CASE("a validation part holds whole groups where that is asked for") {
  const EncodedCorpus corpus = grouped_corpus();
  std::set<std::vector<std::int32_t>> parts;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const ValidationSplit whole = split_validation(config_of(true, seed), corpus);
    const ValidationSplit mixed = split_validation(config_of(false, seed), corpus);
    CHECK(torn(corpus, whole) == 0);
    CHECK(torn(corpus, mixed) > 0);
    CHECK(groups_of(corpus, whole.validation).size() > 1);
    CHECK(mixed.validation.size() == 50);
    // What fits is filled up with texts that are of no group.
    CHECK(whole.validation.size() == 50);
    for (const ValidationSplit& split : {whole, mixed}) {
      std::vector<std::int32_t> all = split.train;
      all.insert(all.end(), split.validation.begin(), split.validation.end());
      std::ranges::sort(all);
      std::vector<std::int32_t> every(280);
      std::iota(every.begin(), every.end(), 0);
      CHECK(all == every);
      CHECK(std::ranges::is_sorted(split.train));
      CHECK(std::ranges::is_sorted(split.validation));
      CHECK(split.validation.back() < 250);
    }
    CHECK(split_validation(config_of(true, seed), corpus).validation == whole.validation);
    parts.insert(whole.validation);
  }
  CHECK(parts.size() == 20);
}

TEST_CASE("a text without words says nothing about the next word, and validates no language model") {
  CorpusArrays arrays;
  for (int i = 0; i < 40; ++i) {
    if (i % 2 == 0) arrays.tokens.push_back(3);
    arrays.end_document(-1, "");
  }
  const EncodedCorpus corpus(std::move(arrays));
  TrainingConfig config = config_of(false, 1);
  for (const TrainingTask task : {TrainingTask::language_model, TrainingTask::autoencoder}) {
    config.task = task;
    const ValidationSplit split = split_validation(config, corpus);
    CHECK(split.validation.size() == 4);
    CHECK(split.train.size() == 36);
    for (const std::int32_t i : split.validation) CHECK(i % 2 == 0);
  }
}

TEST_CASE("without groups both ways of splitting are one; a single group cannot be split") {
  CorpusArrays plain, single;
  for (int i = 0; i < 40; ++i) {
    plain.tokens.push_back(3);
    plain.end_document(i % 2, "");
    single.tokens.push_back(3);
    single.end_document(i % 2, "", 5);
  }
  const EncodedCorpus none(std::move(plain)), one(std::move(single));
  CHECK(none.groups().empty());
  CHECK(split_validation(config_of(true, 1), none).validation ==
        split_validation(config_of(false, 1), none).validation);
  CHECK(split_validation(config_of(false, 1), one).validation.size() == 8);
  CHECK_THROWS_WITH_AS(split_validation(config_of(true, 1), one), doctest::Contains("of one group"), DataError);
}

}  // namespace
}  // namespace eddy
