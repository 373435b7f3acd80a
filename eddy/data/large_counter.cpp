// SPDX-License-Identifier: Apache-2.0
#include "eddy/data/large_counter.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <queue>
#include <string>

#include "eddy/core/error.h"

namespace eddy {
namespace {

struct CountedWord {
  std::string text;
  TokenCount counted;
};

using Run = std::unique_ptr<SpillFile>;

/// What the blocks of all runs that are merged take together.
constexpr std::size_t kMergeMemory = std::size_t{1} << 24;

/// A run holds words one after the other: TokenCount, i32 length, bytes.
void append_word(SpillFile& run, std::string_view text, const TokenCount& counted) {
  const auto length = static_cast<std::int32_t>(text.size());
  run.append(std::as_bytes(std::span(&counted, 1)));
  run.append(std::as_bytes(std::span(&length, 1)));
  run.append(std::as_bytes(std::span(text)));
}

/// Goes through the words of a run by blocks of at most so many bytes.
class RunReader {
 public:
  RunReader(SpillFile& run, std::size_t block) : run_(run), longest_block_(block) { next(); }

  bool at_end() const { return at_end_; }
  const CountedWord& word() const { return word_; }
  void next() {
    at_end_ = at_ == run_.size();
    if (at_end_) return;
    std::int32_t length = 0;
    take(&word_.counted, sizeof(word_.counted));
    take(&length, sizeof(length));
    word_.text.resize(static_cast<std::size_t>(length));
    take(word_.text.data(), word_.text.size());
  }

 private:
  void take(void* to, std::size_t size) {
    auto* out = static_cast<std::byte*>(to);
    at_ += size;
    while (size > 0) {
      if (used_ == block_.size()) {
        block_.resize(std::min<std::uint64_t>(longest_block_, run_.size() - read_));
        run_.read_at(read_, block_);
        read_ += block_.size();
        used_ = 0;
      }
      const std::size_t piece = std::min(size, block_.size() - used_);
      std::memcpy(out, block_.data() + used_, piece);
      out += piece;
      used_ += piece;
      size -= piece;
    }
  }

  SpillFile& run_;
  std::size_t longest_block_;
  std::vector<std::byte> block_;
  std::size_t used_ = 0;
  std::uint64_t read_ = 0;  ///< bytes of the run that have been in the block
  std::uint64_t at_ = 0;    ///< bytes that have been taken
  CountedWord word_;
  bool at_end_ = false;
};

/// Calls `visit` on each word of the runs with its whole count, in the order of the texts. The runs stand in the order
/// in which they were counted.
template <class Visit>
void merge(std::span<const Run> runs, Visit&& visit) {
  std::vector<RunReader> readers;
  readers.reserve(runs.size());
  // One word's runs in the order in which they were counted.
  const auto later = [&](std::size_t a, std::size_t b) {
    const int order = readers[a].word().text.compare(readers[b].word().text);
    return order != 0 ? order > 0 : a > b;
  };
  std::priority_queue<std::size_t, std::vector<std::size_t>, decltype(later)> next(later);
  const std::size_t block = std::min(std::size_t{1} << 18, kMergeMemory / std::max(runs.size(), std::size_t{1}));
  for (const Run& run : runs) {
    readers.emplace_back(*run, block);
    if (!readers.back().at_end()) next.push(readers.size() - 1);
  }
  while (!next.empty()) {
    CountedWord word{readers[next.top()].word().text, {}};
    while (!next.empty() && readers[next.top()].word().text == word.text) {
      const std::size_t reader = next.top();
      next.pop();
      word.counted.append(readers[reader].word().counted);
      readers[reader].next();
      if (!readers[reader].at_end()) next.push(reader);
    }
    visit(std::move(word));
  }
}

}  // namespace

LargeCounter::LargeCounter(std::filesystem::path folder, std::int32_t most)
    : folder_(std::move(folder)), most_(std::max(most, 1)) {}

void LargeCounter::spill() {
  const TokenTable& words = counter_.table();
  std::vector<std::int32_t> order(static_cast<std::size_t>(words.size()));
  std::iota(order.begin(), order.end(), 0);
  std::ranges::sort(order, [&](std::int32_t a, std::int32_t b) { return words.text(a) < words.text(b); });
  Run run = std::make_unique<SpillFile>(folder_);
  for (const std::int32_t number : order) append_word(*run, words.text(number), counter_.counted(number));
  run->end_writing();
  counter_ = TokenCounter(counter_.documents());
  for (std::size_t level = 0;; ++level) {
    if (level == levels_.size()) levels_.emplace_back();
    std::vector<Run>& runs = levels_[level];
    runs.push_back(std::move(run));
    if (runs.size() < kFanIn) return;
    run = std::make_unique<SpillFile>(folder_);
    merge(runs, [&](const CountedWord& word) { append_word(*run, word.text, word.counted); });
    run->end_writing();
    runs.clear();
  }
}

Vocabulary LargeCounter::vocabulary(const VocabularyOptions& options) {
  if (levels_.empty()) return Vocabulary(counter_, options);
  // Only checks the options.
  const Vocabulary specials(TokenCounter(), options);
  spill();
  std::vector<Run> runs;
  for (auto level = levels_.rbegin(); level != levels_.rend(); ++level)
    std::ranges::move(*level, std::back_inserter(runs));
  levels_.clear();
  std::vector<std::int64_t> special_counts(Vocabulary::kSpecials, 0);
  std::int64_t left_out = 0;
  // The rarest of the words kept so far on top, and of equally rare ones the last.
  const auto before = [](const CountedWord& a, const CountedWord& b) {
    return a.counted.count != b.counted.count ? a.counted.count > b.counted.count : a.text < b.text;
  };
  std::priority_queue<CountedWord, std::vector<CountedWord>, decltype(before)> kept(before);
  const std::size_t most =
      options.max_size == 0 ? SIZE_MAX : static_cast<std::size_t>(options.max_size - Vocabulary::kSpecials);
  merge(runs, [&](CountedWord word) {
    if (const std::int32_t special = specials.find(word.text); special >= 0) {
      special_counts[static_cast<std::size_t>(special)] += word.counted.count;
    } else if (!is_kept(word.counted, options)) {
      left_out += word.counted.count;
    } else {
      kept.push(std::move(word));
      if (kept.size() <= most) return;
      left_out += kept.top().counted.count;
      kept.pop();
    }
  });
  std::vector<CountedWord> words;
  for (; !kept.empty(); kept.pop()) words.push_back(kept.top());
  std::vector<std::string> tokens = specials.tokens();
  std::vector<std::int64_t> counts = special_counts;
  counts[Vocabulary::kUnknown] += left_out;
  counts[Vocabulary::kEndOfSequence] += counter_.documents();
  for (auto word = words.rbegin(); word != words.rend(); ++word) {
    tokens.push_back(std::move(word->text));
    counts.push_back(word->counted.count);
  }
  return Vocabulary::from_lists(tokens, counts);
}

}  // namespace eddy
