// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string_view>
#include <vector>

#include "eddy/core/file.h"
#include "eddy/data/vocabulary.h"

namespace eddy {

/// Counts any number of different words in bounded memory: when there are more than `most`, sorted runs of words and
/// counts go to disk. Many runs are merged into one, so that few are open at a time, and vocabulary() merges those
/// left. Exact. One thread at a time. DataError when the disk fails.
class LargeCounter {
 public:
  static constexpr std::int32_t kMost = std::int32_t{1} << 20;
  /// So many runs become one.
  static constexpr std::size_t kFanIn = 64;

  /// Runs are kept in `folder`, without names.
  explicit LargeCounter(std::filesystem::path folder, std::int32_t most = kMost);

  void add(std::string_view token) {
    counter_.add(token);
    if (counter_.table().size() >= most_) spill();
  }
  /// As TokenCounter's.
  void add_document() { counter_.add_document(); }

  /// The vocabulary of everything counted: that of Vocabulary(TokenCounter, options). Ends the counting. UsageError for
  /// bad options.
  Vocabulary vocabulary(const VocabularyOptions& options);

 private:
  void spill();

  std::filesystem::path folder_;
  std::int32_t most_;
  TokenCounter counter_;
  /// Those of level l are merged from kFanIn of level l - 1 each, and were counted before all of lower levels.
  std::vector<std::vector<std::unique_ptr<SpillFile>>> levels_;
};

}  // namespace eddy
