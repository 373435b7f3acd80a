// SPDX-License-Identifier: Apache-2.0
#include "eddy/data/stream_batches.h"

#include <algorithm>
#include <numeric>

#include "eddy/core/error.h"
#include "eddy/core/number_text.h"
#include "eddy/core/random.h"

namespace eddy {

StreamBatches::StreamBatches(const EncodedCorpus& corpus, StreamOptions options,
                             std::optional<std::vector<std::int32_t>> documents)
    : corpus_(corpus), options_(options) {
  require<UsageError>(options.batch_size >= 1 && options.time >= 1,
                      "streams of batch size {} and {}: expected at least 1 of each", options.batch_size,
                      counted(options.time, "step"));
  if (documents) {
    documents_ = std::move(*documents);
  } else {
    documents_.resize(static_cast<std::size_t>(corpus.size()));
    std::iota(documents_.begin(), documents_.end(), 0);
  }
  require<DataError>(!documents_.empty(), "no document to make streams of");
  for (const std::int32_t document : documents_) {
    require<DataError>(document >= 0 && document < corpus.size(), "document {} asked for, the corpus has {}", document,
                       corpus.size());
    steps_ += corpus.length(document) + 1;
  }
  corpus.drop_pages();
  stream_length_ = (steps_ + options.batch_size - 1) / options.batch_size;
}

std::int64_t StreamBatches::batches_per_epoch() const { return (stream_length_ + options_.time - 1) / options_.time; }

void StreamBatches::plan_epoch() {
  if (planned_epoch_ >= 0 && (planned_epoch_ == position_.epoch || !options_.shuffle)) return;
  order_ = documents_;
  if (options_.shuffle) {
    Philox random(options_.seed, stable_hash("stream batches") + static_cast<std::uint64_t>(position_.epoch));
    shuffle(std::span(order_), random);
  }
  starts_.resize(order_.size());
  std::int64_t start = 1;  // after the first <eos>
  for (std::size_t i = 0; i < order_.size(); ++i) {
    starts_[i] = start;
    start += corpus_.length(order_[i]) + 1;
  }
  corpus_.drop_pages();
  planned_epoch_ = position_.epoch;
}

void StreamBatches::copy_text(std::int64_t begin, std::span<std::int32_t> out) const {
  std::size_t filled = 0;
  if (begin == 0) out[filled++] = options_.eos;
  const std::int64_t first = begin + static_cast<std::int64_t>(filled);
  auto i = static_cast<std::size_t>(std::upper_bound(starts_.begin(), starts_.end(), first) - starts_.begin()) - 1;
  std::int64_t inside = first - starts_[i];
  for (; filled < out.size(); ++i, inside = 0) {
    const auto rest = corpus_.document(order_[i]).subspan(static_cast<std::size_t>(inside));
    const std::size_t count = std::min(rest.size(), out.size() - filled);
    std::copy_n(rest.begin(), count, out.begin() + static_cast<std::ptrdiff_t>(filled));
    filled += count;
    if (filled < out.size()) out[filled++] = options_.eos;
  }
}

Batch StreamBatches::next() {
  plan_epoch();
  const std::int64_t rows = options_.batch_size;
  const std::int64_t time = options_.time;
  Batch batch;
  batch.tokens = Tensor(i32, {time, rows});
  batch.mask = Tensor(f32, {time, rows});
  batch.targets = Tensor(i32, {time, rows});
  batch.weights = Tensor(f32, {time, rows});
  batch.lengths = Tensor(i32, {rows});
  batch.position = position_;
  batch.carry_state = position_.index > 0;
  const auto tokens = batch.tokens.values<std::int32_t>();
  const auto mask = batch.mask.values<float>();
  const auto targets = batch.targets.values<std::int32_t>();
  const auto weights = batch.weights.values<float>();
  std::vector<std::int32_t> text;
  for (std::int64_t row = 0; row < rows; ++row) {
    const std::int64_t begin = row * stream_length_ + position_.index * time;
    const std::int64_t end = std::min({begin + time, (row + 1) * stream_length_, steps_});
    if (begin >= end) continue;
    // One symbol more than there are inputs: the last target.
    text.resize(static_cast<std::size_t>(end - begin) + 1);
    copy_text(begin, text);
    pages_.read(corpus_, end - begin);
    for (std::size_t t = 0; t + 1 < text.size(); ++t) {
      const std::size_t at = t * static_cast<std::size_t>(rows) + static_cast<std::size_t>(row);
      tokens[at] = text[t];
      targets[at] = text[t + 1];
      mask[at] = weights[at] = 1.0f;
    }
    batch.lengths.values<std::int32_t>()[static_cast<std::size_t>(row)] = static_cast<std::int32_t>(end - begin);
    batch.token_count += end - begin;
    ++batch.real_rows;
  }
  batch.target_count = batch.token_count;
  if (++position_.index == batches_per_epoch()) position_ = {position_.epoch + 1, 0};
  return batch;
}

void StreamBatches::seek(const BatchPosition& position) {
  require<DataError>(position.epoch >= 0 && position.index >= 0 && position.index < batches_per_epoch(),
                     "position epoch {}, window {} is not in the data of {} windows an epoch", position.epoch,
                     position.index, batches_per_epoch());
  position_ = position;
}

}  // namespace eddy
