// SPDX-License-Identifier: Apache-2.0
#include "eddy/data/pair_batches.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <span>
#include <utility>

#include "eddy/core/error.h"
#include "eddy/core/number_text.h"
#include "eddy/core/random.h"
#include "eddy/data/bucket_batches.h"

namespace eddy {

namespace {

/// Coarser than for one sequence, as sizes multiply.
constexpr double kGrowth = 1.5;

void check_options(const PairBatchOptions& options) {
  require<UsageError>(options.batch_size >= 1, "batch size is {}, expected at least 1", options.batch_size);
  require<UsageError>(options.max_source >= 0 && options.max_target >= 0,
                      "maximum lengths are {} and {}, expected 0 (no limit) or more", options.max_source,
                      options.max_target);
  require<UsageError>(options.fewest_batches >= 0, "fewest batches of a size is {}, expected 0 or more",
                      options.fewest_batches);
  for (const PairSize& size : options.sizes)
    require<UsageError>(size.source >= 1 && size.target >= 1, "batch size ({}, {}): expected at least one step each",
                        size.source, size.target);
}

bool holds(const PairSize& size, const PairSize& length) {
  return length.source <= size.source && length.target <= size.target;
}

/// Sizes by source, then target, with their pairs.
using Buckets = std::map<std::pair<std::int64_t, std::int64_t>, std::vector<std::int32_t>>;

/// Moves the pairs of each size with too few to the smallest larger one in use, in place.
void join_small(Buckets& buckets, std::size_t fewest) {
  for (auto bucket = buckets.begin(); bucket != buckets.end();) {
    auto best = buckets.end();
    for (auto other = buckets.begin(); other != buckets.end(); ++other) {
      if (other == bucket || other->first.first < bucket->first.first || other->first.second < bucket->first.second)
        continue;
      const auto area = [](const auto& found) { return found->first.first * found->first.second; };
      if (best == buckets.end() || area(other) < area(best)) best = other;
    }
    if (bucket->second.size() >= fewest || best == buckets.end()) {
      ++bucket;
      continue;
    }
    best->second.insert(best->second.end(), bucket->second.begin(), bucket->second.end());
    bucket = buckets.erase(bucket);
  }
}

}  // namespace

PairBatches::PairBatches(const EncodedPairs& pairs, PairBatchOptions options,
                         std::optional<std::vector<std::int32_t>> chosen)
    : pairs_(pairs), options_(std::move(options)) {
  check_options(options_);
  require<DataError>(pairs.source.size() == pairs.target.size(), "{} cannot be paired with {}",
                     counted(pairs.source.size(), "source"), counted(pairs.target.size(), "target"));
  if (!chosen) {
    chosen.emplace(static_cast<std::size_t>(pairs.size()));
    std::iota(chosen->begin(), chosen->end(), 0);
  }
  // A side that no given size can hold has the largest size as its limit.
  const auto limit = [&](std::int64_t& most, std::int64_t largest) {
    if (!options_.sizes.empty() && (most == 0 || most > largest)) most = largest;
  };
  PairSize largest;
  for (const PairSize& size : options_.sizes)
    largest = {std::max(largest.source, size.source), std::max(largest.target, size.target)};
  limit(options_.max_source, largest.source);
  const std::int64_t target_tokens = largest.target - (ends_targets() ? 1 : 0);
  require<UsageError>(options_.sizes.empty() || target_tokens >= 1,
                      "the largest target has 1 step, which the end token takes; expected at least 2");
  limit(options_.max_target, target_tokens);

  std::vector<std::int32_t> kept;
  for (const std::int32_t pair : *chosen) {
    require<DataError>(pair >= 0 && pair < pairs_.size(), "pair {} asked for, there are {}", pair, pairs_.size());
    const PairSize length = length_of(pair);
    if (length.source == 0 || length.target == 0) {
      ++left_out_empty_;
    } else if (options_.too_long == TooLong::leave_out && is_too_long(pair)) {
      ++left_out_long_;
    } else {
      kept.push_back(pair);
    }
  }
  fill_buckets(kept);
  require<DataError>(pairs_per_epoch() > 0, "no pair of {} can be batched: {} with an empty side, {} too long",
                     chosen->size(), left_out_empty_, left_out_long_);
}

void PairBatches::fill_buckets(const std::vector<std::int32_t>& pairs) {
  if (pairs.empty()) return;
  std::vector<std::int64_t> source_times;
  std::vector<std::int64_t> target_times;
  if (options_.sizes.empty()) {
    PairSize longest{1, 1};
    for (const std::int32_t pair : pairs) {
      const PairSize length = length_of(pair);
      longest = {std::max(longest.source, length.source), std::max(longest.target, length.target)};
    }
    source_times = bucket_times(longest.source, 8, kGrowth);
    target_times = bucket_times(longest.target, 8, kGrowth);
  }
  Buckets buckets;
  for (const std::int32_t pair : pairs) {
    const PairSize length = length_of(pair);
    if (options_.sizes.empty()) {
      const std::int64_t source = *std::lower_bound(source_times.begin(), source_times.end(), length.source);
      buckets[{source, *std::lower_bound(target_times.begin(), target_times.end(), length.target)}].push_back(pair);
      continue;
    }
    const auto size = std::find_if(options_.sizes.begin(), options_.sizes.end(),
                                   [&](const PairSize& one) { return holds(one, length); });
    if (size == options_.sizes.end()) {
      ++left_out_long_;
    } else {
      buckets[{size->source, size->target}].push_back(pair);
    }
  }
  if (options_.sizes.empty())
    join_small(buckets,
               static_cast<std::size_t>(options_.fewest_batches) * static_cast<std::size_t>(options_.batch_size));
  std::vector<std::vector<std::int32_t>> lists;
  for (auto& [size, members] : buckets) {
    sizes_.push_back({size.first, size.second});
    if (!options_.shuffle)
      std::ranges::stable_sort(members, {}, [&](std::int32_t pair) {
        const PairSize length = length_of(pair);
        return std::pair(length.source, length.target);
      });
    lists.push_back(std::move(members));
  }
  order_ = BatchOrder(std::move(lists), {.batch_size = options_.batch_size,
                                         .shuffle = options_.shuffle,
                                         .seed = options_.seed,
                                         .stream = stable_hash("pair batches")});
}

bool PairBatches::ends_targets() const { return pairs_.target_tokens.specials().end >= 0 && !pairs_.targets_complete; }

bool PairBatches::is_too_long(std::int32_t pair) const {
  return (options_.max_source > 0 && pairs_.source.length(pair) > options_.max_source) ||
         (options_.max_target > 0 && pairs_.target.length(pair) > options_.max_target);
}

PairSize PairBatches::length_of(std::int32_t pair) const {
  const auto kept = [](std::int64_t length, std::int64_t most) { return most > 0 ? std::min(length, most) : length; };
  return {kept(pairs_.source.length(pair), options_.max_source),
          kept(pairs_.target.length(pair), options_.max_target) + (ends_targets() ? 1 : 0)};
}

void PairBatches::write_row(PairBatch& batch, std::size_t row, std::int32_t pair) const {
  const auto rows = static_cast<std::size_t>(batch.rows());
  const PairSize length = length_of(pair);
  const auto source_steps = static_cast<std::size_t>(length.source);
  const auto target_steps = static_cast<std::size_t>(length.target);
  const std::span<const std::int32_t> source = pairs_.source.document(pair).first(source_steps);
  const std::span<const std::int32_t> target = pairs_.target.document(pair);
  const SpecialTokens& specials = pairs_.target_tokens.specials();
  for (std::size_t t = 0; t < source_steps; ++t) {
    batch.source.values<std::int32_t>()[t * rows + row] = source[options_.reverse_source ? source_steps - 1 - t : t];
    batch.source_mask.values<float>()[t * rows + row] = 1.0f;
  }
  for (std::size_t t = 0; t < target_steps; ++t) {
    const std::int32_t first = specials.go >= 0 ? specials.go : std::max(specials.pad, 0);
    batch.target_in.values<std::int32_t>()[t * rows + row] = t == 0 ? first : target[t - 1];
    batch.target_out.values<std::int32_t>()[t * rows + row] = t < target.size() ? target[t] : specials.end;
    batch.target_mask.values<float>()[t * rows + row] = 1.0f;
  }
  batch.source_lengths.values<std::int32_t>()[row] = static_cast<std::int32_t>(source_steps);
  batch.target_lengths.values<std::int32_t>()[row] = static_cast<std::int32_t>(target_steps);
  batch.source_count += length.source;
  batch.target_count += length.target;
  batch.pairs[row] = pair;
}

PairBatch PairBatches::next() {
  const BatchOrder::Batch planned = order_.next();
  const PairSize size = sizes_[planned.bucket];
  const std::int64_t rows = options_.batch_size;

  PairBatch batch;
  batch.source = Tensor(i32, {size.source, rows});
  batch.source_mask = Tensor(f32, {size.source, rows});
  batch.target_in = Tensor(i32, {size.target, rows});
  batch.target_out = Tensor(i32, {size.target, rows});
  batch.target_mask = Tensor(f32, {size.target, rows});
  batch.source_lengths = Tensor(i32, {rows});
  batch.target_lengths = Tensor(i32, {rows});
  std::ranges::fill(batch.source.values<std::int32_t>(), std::max(pairs_.source_tokens.specials().pad, 0));
  const std::int32_t target_pad = std::max(pairs_.target_tokens.specials().pad, 0);
  std::ranges::fill(batch.target_in.values<std::int32_t>(), target_pad);
  std::ranges::fill(batch.target_out.values<std::int32_t>(), target_pad);
  batch.pairs.assign(static_cast<std::size_t>(rows), -1);
  batch.position = planned.position;
  batch.real_rows = static_cast<int>(planned.members.size());
  for (std::size_t row = 0; row < static_cast<std::size_t>(batch.real_rows); ++row)
    write_row(batch, row, planned.members[row]);
  return batch;
}

}  // namespace eddy
