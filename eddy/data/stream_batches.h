// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "eddy/data/batch.h"
#include "eddy/data/encoded_corpus.h"
#include "eddy/data/vocabulary.h"

namespace eddy {

struct StreamOptions {
  int batch_size = 32;
  /// Steps of a window: the truncation length of back-propagation through time.
  std::int64_t time = 64;
  /// Order of the documents anew in every epoch; off = as in the corpus.
  bool shuffle = true;
  std::uint64_t seed = 1;
  std::int32_t eos = Vocabulary::kEndOfSequence;
};

/// The corpus as one text `<eos> d1 <eos> d2 <eos> ...`, cut into batch_size contiguous streams that are read side by
/// side in windows of `time` steps; each token predicts the next. Row r of a batch continues row r of the batch
/// before, so the model's state is carried over (Batch::carry_state), but not into a new epoch. Every token and every
/// `<eos>` after a document is a target once an epoch; where a stream is shorter than the others the mask is 0.
/// Shares the arrays of the corpus, which may go before it. Not thread-safe.
class StreamBatches {
 public:
  /// Of all documents or some, in that order. Throws UsageError for bad options, DataError when there is no document or
  /// one that the corpus lacks.
  explicit StreamBatches(const EncodedCorpus& corpus, StreamOptions options = {},
                         std::optional<std::vector<std::int32_t>> documents = std::nullopt);

  /// The window at position(), which moves on. `labels`, `row_weights` and `documents` are empty.
  Batch next();

  std::int64_t batches_per_epoch() const;
  /// Targets of an epoch.
  std::int64_t targets_per_epoch() const { return steps_; }

  BatchPosition position() const { return position_; }
  /// Throws DataError for a position that is not in the data. The caller restores the model's state as well.
  void seek(const BatchPosition& position);

 private:
  void plan_epoch();
  /// Copies the text from `begin`, as long as `out`.
  void copy_text(std::int64_t begin, std::span<std::int32_t> out) const;

  EncodedCorpus corpus_;
  StreamOptions options_;
  PageBudget pages_;
  std::vector<std::int32_t> documents_;
  /// Inputs, which are one fewer than the symbols of the text; and the longest stream.
  std::int64_t steps_ = 0;
  std::int64_t stream_length_ = 0;
  /// Documents in the order of the planned epoch, and where each begins in the text.
  std::vector<std::int32_t> order_;
  std::vector<std::int64_t> starts_;
  std::int64_t planned_epoch_ = -1;
  BatchPosition position_;
};

}  // namespace eddy
