// SPDX-License-Identifier: Apache-2.0
#include "eddy/data/vocabulary.h"

#include <algorithm>

#include "eddy/core/error.h"
#include "eddy/core/number_text.h"

namespace eddy {

namespace {

constexpr std::string_view kSpecialTexts[] = {"<unk>", "<eos>"};

}  // namespace

Vocabulary::Vocabulary() : counts_(kSpecials, 0) {
  for (const std::string_view text : kSpecialTexts) table_.insert(text);
}

Vocabulary::Vocabulary(const TokenCounter& counter, const VocabularyOptions& options) : Vocabulary() {
  require<UsageError>(options.min_count >= 1, "min_count is {}, expected at least 1", options.min_count);
  require<UsageError>(options.min_documents >= 1, "min_documents is {}, expected at least 1", options.min_documents);
  require<UsageError>(options.max_size == 0 || options.max_size >= kSpecials,
                      "vocabulary of {} asked for, expected 0 (no cap) or at least {}",
                      counted(options.max_size, "entry", "entries"), kSpecials);
  std::vector<std::int32_t> order;
  std::int64_t left_out = 0;
  for (std::int32_t i = 0; i < counter.table().size(); ++i) {
    const std::int64_t count = counter.count(i);
    const std::int32_t special = table_.find(counter.table().text(i));
    if (special >= 0) {
      counts_[static_cast<std::size_t>(special)] += count;
    } else if (is_kept(counter.counted(i), options)) {
      order.push_back(i);
    } else {
      left_out += count;
    }
  }
  std::sort(order.begin(), order.end(), [&](std::int32_t a, std::int32_t b) {
    const std::int64_t count_a = counter.count(a);
    const std::int64_t count_b = counter.count(b);
    return count_a != count_b ? count_a > count_b : counter.table().text(a) < counter.table().text(b);
  });
  const std::size_t most =
      options.max_size == 0 ? order.size() : static_cast<std::size_t>(options.max_size - kSpecials);
  for (std::size_t i = 0; i < order.size(); ++i) {
    if (i < most) {
      table_.insert(counter.table().text(order[i]));
      counts_.push_back(counter.count(order[i]));
    } else {
      left_out += counter.count(order[i]);
    }
  }
  counts_[kUnknown] += left_out;
  counts_[kEndOfSequence] += counter.documents();
}

Vocabulary Vocabulary::from_lists(std::span<const std::string> tokens, std::span<const std::int64_t> counts) {
  require<DataError>(tokens.size() == counts.size(), "vocabulary has {} and {}", counted(std::ssize(tokens), "token"),
                     counted(std::ssize(counts), "count"));
  Vocabulary vocabulary;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    try {
      vocabulary.take(i, tokens[i], counts[i]);
    } catch (const DataError& error) {
      fail<DataError>("vocabulary token {}: {}", i, error.what());
    }
  }
  require<DataError>(tokens.size() >= kSpecials, "vocabulary has {}, expected <unk> and <eos> at least",
                     counted(std::ssize(tokens), "token"));
  return vocabulary;
}

void Vocabulary::take(std::size_t id, std::string_view token, std::int64_t count) {
  require<DataError>(count >= 0, "\"{}\" has count {}, expected 0 or more", token, count);
  if (id < kSpecials) {
    require<DataError>(token == kSpecialTexts[id], "found \"{}\", expected \"{}\"", token, kSpecialTexts[id]);
    counts_[id] = count;
    return;
  }
  require<DataError>(!token.empty(), "the token is empty");
  require<DataError>(table_.find(token) < 0, "\"{}\" stands earlier too", token);
  table_.insert(token);
  counts_.push_back(count);
}

std::string_view Vocabulary::decode(std::int32_t id) const {
  require<DataError>(id >= 0 && id < size(), "token id {} is not in a vocabulary of {}", id, size());
  return table_.text(id);
}

std::string Vocabulary::decode(std::span<const std::int32_t> ids) const {
  std::string text;
  for (const std::int32_t id : ids) {
    if (!text.empty()) text += ' ';
    text += decode(id);
  }
  return text;
}

std::int64_t Vocabulary::count(std::int32_t id) const {
  require<DataError>(id >= 0 && id < size(), "token id {} is not in a vocabulary of {}", id, size());
  return counts_[static_cast<std::size_t>(id)];
}

std::vector<std::string> Vocabulary::tokens() const {
  std::vector<std::string> list;
  for (std::int32_t id = 0; id < size(); ++id) list.emplace_back(table_.text(id));
  return list;
}

bool operator==(const Vocabulary& a, const Vocabulary& b) { return a.counts_ == b.counts_ && a.tokens() == b.tokens(); }

}  // namespace eddy
