// SPDX-License-Identifier: Apache-2.0
#include "eddy/data/bucket_batches.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <span>
#include <utility>

#include "eddy/core/error.h"
#include "eddy/core/number_text.h"
#include "eddy/core/random.h"

namespace eddy {

namespace {

bool takes_eos(const BucketOptions& options) {
  return options.append_eos && (options.layout == Layout::plain || options.layout == Layout::label_gain);
}

/// The tokens of a document that stay under max_length.
std::span<const std::int32_t> kept_tokens(std::span<const std::int32_t> tokens, const BucketOptions& options) {
  const auto most = static_cast<std::size_t>(options.max_length);
  if (most == 0 || tokens.size() <= most) return tokens;
  return options.keep == Keep::last ? tokens.last(most) : tokens.first(most);
}

void add_cut(CutDocuments& cut, std::int64_t length, std::int64_t max_length) {
  if (max_length == 0 || length <= max_length) return;
  ++cut.documents;
  cut.tokens += length - max_length;
}

Sequence lay_out(const EncodedCorpus& corpus, std::int32_t document, const BucketOptions& options) {
  const std::span<const std::int32_t> all = corpus.document(document);
  const std::span<const std::int32_t> kept = kept_tokens(all, options);
  std::vector<std::int32_t> tokens(kept.begin(), kept.end());
  if (takes_eos(options)) tokens.push_back(options.eos);
  switch (options.layout) {
    case Layout::plain:
      return {std::move(tokens), {}, {}};
    case Layout::language_model: {
      const bool cut_at_end = options.keep == Keep::first && kept.size() < all.size();
      return language_model_sequence(tokens, cut_at_end ? all[kept.size()] : options.eos);
    }
    case Layout::label_gain:
      return label_gain_sequence(tokens, corpus.label(document));
  }
  return {};
}

void check_options(const BucketOptions& options) {
  require<UsageError>(options.batch_size >= 1, "batch size is {}, expected at least 1", options.batch_size);
  require<UsageError>(options.max_length >= 0, "maximum length is {}, expected 0 (no limit) or more",
                      options.max_length);
  std::int64_t before = 0;
  for (const std::int64_t time : options.times) {
    require<UsageError>(time > before, "bucket time {} follows {}; expected rising times from 1", time, before);
    before = time;
  }
}

}  // namespace

std::vector<std::int64_t> bucket_times(std::int64_t longest, std::int64_t smallest, double growth) {
  require<UsageError>(
      longest >= 1 && longest <= std::numeric_limits<std::int32_t>::max() && smallest >= 1 && growth > 1 &&
          growth <= 1e6,
      "bucket times from {} to {} growing by {}: expected sizes of at least 1 and growth above 1, up to a million",
      smallest, longest, growth);
  std::vector<std::int64_t> times;
  for (std::int64_t time = smallest; time < longest;) {
    times.push_back(time);
    const double wanted = static_cast<double>(time) * growth;
    const double step = wanted >= 32 ? 8 : 4;
    // Rounded down, so that the growth bounds the waste; but always one step further.
    time = std::max(static_cast<std::int64_t>(std::floor(wanted / step) * step), time + 1);
  }
  times.push_back(longest);
  return times;
}

std::string CutDocuments::to_string(std::int64_t max_length) const {
  return fmt::format("{} cut to {} ({} not read)", counted(documents, "text"), counted(max_length, "token"),
                     counted(tokens, "token"));
}

CutDocuments count_cut(const EncodedCorpus& corpus, std::int64_t max_length,
                       const std::optional<std::vector<std::int32_t>>& documents) {
  CutDocuments cut;
  if (max_length <= 0) return cut;
  const std::int64_t count = documents ? static_cast<std::int64_t>(documents->size()) : corpus.size();
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int32_t document = documents ? (*documents)[static_cast<std::size_t>(i)] : static_cast<std::int32_t>(i);
    require<DataError>(document >= 0 && document < corpus.size(), "document {} asked for, the corpus has {}", document,
                       corpus.size());
    add_cut(cut, corpus.length(document), max_length);
  }
  corpus.drop_pages();
  return cut;
}

BucketBatches::BucketBatches(const EncodedCorpus& corpus, BucketOptions options,
                             std::optional<std::vector<std::int32_t>> documents)
    : corpus_(corpus), options_(std::move(options)) {
  check_options(options_);
  if (!documents) {
    documents.emplace(static_cast<std::size_t>(corpus.size()));
    std::iota(documents->begin(), documents->end(), 0);
  }
  std::int64_t longest = 1;
  for (const std::int32_t document : *documents) {
    require<DataError>(document >= 0 && document < corpus.size(), "document {} asked for, the corpus has {}", document,
                       corpus.size());
    if (!is_left_out(document)) longest = std::max(longest, row_length(document));
  }
  times_ = options_.times.empty() ? bucket_times(longest) : options_.times;
  require<DataError>(longest <= times_.back(),
                     "a document needs {} steps, the largest bucket has {}; give a larger one or a maximum length",
                     longest, times_.back());

  std::vector<std::vector<std::int32_t>> buckets(times_.size());
  for (const std::int32_t document : *documents) {
    if (is_left_out(document)) {
      ++left_out_;
      continue;
    }
    const std::int64_t length = row_length(document);
    add_cut(cut_, corpus.length(document), options_.max_length);
    const auto bucket = std::lower_bound(times_.begin(), times_.end(), length) - times_.begin();
    buckets[static_cast<std::size_t>(bucket)].push_back(document);
  }
  std::vector<std::int64_t> used;
  for (std::size_t i = 0; i < buckets.size(); ++i) {
    if (buckets[i].empty()) continue;
    used.push_back(times_[i]);
    // Equal lengths together; by number among them, so the order is one and the same everywhere.
    if (!options_.shuffle) std::ranges::stable_sort(buckets[i], {}, [&](std::int32_t d) { return row_length(d); });
  }
  std::erase_if(buckets, [](const auto& bucket) { return bucket.empty(); });
  times_ = std::move(used);
  corpus_.drop_pages();
  order_ = BatchOrder(std::move(buckets), {.batch_size = options_.batch_size,
                                           .shuffle = options_.shuffle,
                                           .seed = options_.seed,
                                           .carry_over = true,
                                           .stream = stable_hash("bucket batches")});
  require<DataError>(documents_per_epoch() > 0, "no document of {} can be batched: {} with nothing to predict",
                     documents->size(), left_out_);
}

bool BucketBatches::is_left_out(std::int32_t document) const {
  if (options_.layout == Layout::label_gain && corpus_.label(document) < 0) return true;
  return options_.layout != Layout::plain && row_length(document) == 0;
}

std::int64_t BucketBatches::row_length(std::int32_t document) const {
  std::int64_t length = corpus_.length(document);
  if (options_.max_length > 0) length = std::min(length, options_.max_length);
  switch (options_.layout) {
    case Layout::plain:
    case Layout::label_gain:
      return length + (takes_eos(options_) ? 1 : 0);
    case Layout::language_model:
      return length;
  }
  return length;
}

Batch BucketBatches::next() {
  const BatchOrder::Batch planned = order_.next();
  const std::int64_t rows = options_.batch_size;
  const std::int64_t time = times_[planned.bucket];

  Batch batch;
  batch.tokens = Tensor(i32, {time, rows});
  batch.mask = Tensor(f32, {time, rows});
  batch.labels = Tensor(i32, {rows});
  batch.row_weights = Tensor(f32, {rows});
  batch.lengths = Tensor(i32, {rows});
  batch.documents.assign(static_cast<std::size_t>(rows), -1);
  batch.position = planned.position;
  batch.real_rows = static_cast<int>(planned.members.size());
  const auto tokens = batch.tokens.values<std::int32_t>();
  const auto mask = batch.mask.values<float>();
  std::span<std::int32_t> targets;
  std::span<float> weights;
  if (options_.layout != Layout::plain) {
    batch.targets = Tensor(i32, {time, rows});
    batch.weights = Tensor(f32, {time, rows});
    targets = batch.targets.values<std::int32_t>();
    weights = batch.weights.values<float>();
  }
  for (std::size_t row = 0; row < static_cast<std::size_t>(batch.real_rows); ++row) {
    const std::int32_t document = planned.members[row];
    const Sequence sequence = lay_out(corpus_, document, options_);
    pages_.read(corpus_, corpus_.length(document));
    for (std::size_t t = 0; t < sequence.inputs.size(); ++t) {
      const std::size_t at = t * static_cast<std::size_t>(rows) + row;
      tokens[at] = sequence.inputs[t];
      mask[at] = 1.0f;
      if (sequence.targets.empty()) continue;
      targets[at] = sequence.targets[t];
      weights[at] = sequence.weights[t];
      batch.target_count += sequence.weights[t] > 0 ? 1 : 0;
    }
    batch.token_count += static_cast<std::int64_t>(sequence.inputs.size());
    batch.lengths.values<std::int32_t>()[row] = static_cast<std::int32_t>(sequence.inputs.size());
    batch.labels.values<std::int32_t>()[row] = std::max(corpus_.label(document), 0);
    batch.row_weights.values<float>()[row] = corpus_.label(document) < 0 ? 0.0f : 1.0f;
    batch.documents[row] = document;
  }
  return batch;
}

}  // namespace eddy
