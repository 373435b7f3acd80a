// SPDX-License-Identifier: Apache-2.0
#include "eddy/data/batch_order.h"

#include <algorithm>
#include <utility>

#include "eddy/core/error.h"
#include "eddy/core/random.h"

namespace eddy {

BatchOrder::BatchOrder(std::vector<std::vector<std::int32_t>> buckets, const BatchOrderOptions& options)
    : options_(options), buckets_(std::move(buckets)) {
  const auto batches_of = [&](std::int64_t count) { return (count + options_.batch_size - 1) / options_.batch_size; };
  options_.carry_over = options_.carry_over && options_.shuffle;
  for (const std::vector<std::int32_t>& bucket : buckets_) {
    const auto count = static_cast<std::int64_t>(bucket.size());
    members_per_epoch_ += count;
    batches_per_epoch_ += batches_of(count);
  }
  if (options_.carry_over) batches_per_epoch_ = batches_of(members_per_epoch_);
}

void BatchOrder::carry_over(std::size_t bucket) {
  if (!options_.carry_over || bucket + 1 == ordered_.size()) return;
  std::vector<std::int32_t>&from = ordered_[bucket], &to = ordered_[bucket + 1];
  const std::size_t whole = from.size() - from.size() % static_cast<std::size_t>(options_.batch_size);
  to.insert(to.end(), from.begin() + static_cast<std::ptrdiff_t>(whole), from.end());
  from.resize(whole);
}

void BatchOrder::plan_epoch() {
  if (planned_epoch_ >= 0 && (planned_epoch_ == position_.epoch || !options_.shuffle)) return;
  ordered_ = buckets_;
  plan_.clear();
  Philox random(options_.seed, options_.stream + static_cast<std::uint64_t>(position_.epoch));
  for (std::size_t i = 0; i < ordered_.size(); ++i) {
    if (options_.shuffle) shuffle(std::span(ordered_[i]), random);
    carry_over(i);
    for (std::size_t first = 0; first < ordered_[i].size(); first += static_cast<std::size_t>(options_.batch_size))
      plan_.push_back({i, first});
  }
  if (options_.shuffle) shuffle(std::span(plan_), random);
  planned_epoch_ = position_.epoch;
}

BatchOrder::Batch BatchOrder::next() {
  plan_epoch();
  const Planned& planned = plan_[static_cast<std::size_t>(position_.index)];
  const std::span<const std::int32_t> rest = std::span(ordered_[planned.bucket]).subspan(planned.first);
  const Batch batch{planned.bucket, rest.first(std::min(rest.size(), static_cast<std::size_t>(options_.batch_size))),
                    position_};
  if (++position_.index == batches_per_epoch_) position_ = {position_.epoch + 1, 0};
  return batch;
}

void BatchOrder::seek(const BatchPosition& position) {
  require<DataError>(position.epoch >= 0 && position.index >= 0 && position.index < batches_per_epoch_,
                     "position epoch {}, batch {} is not in the data of {} batches an epoch", position.epoch,
                     position.index, batches_per_epoch_);
  position_ = position;
}

}  // namespace eddy
