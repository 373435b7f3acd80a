// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "eddy/core/tensor.h"
#include "eddy/data/batch.h"
#include "eddy/data/batch_order.h"
#include "eddy/data/encoded_pairs.h"

namespace eddy {

/// Time-major arrays for one step of a sequence-to-sequence model. Where a mask is 0 the ids are `pad`, or 0 for a set
/// without one. Owns its tensors; a plain value.
struct PairBatch {
  /// i32[source_time, batch] and f32[source_time, batch]; the real steps of a row are its first ones.
  Tensor source;
  Tensor source_mask;
  /// i32[target_time, batch]: `go` and the target, what a decoder is taught with. A set without `go` begins with the
  /// filling id.
  Tensor target_in;
  /// i32[target_time, batch]: the target and `end` (where the set has one and the targets are not complete).
  Tensor target_out;
  /// f32[target_time, batch]; 1 for a real step of target_out.
  Tensor target_mask;
  /// i32[batch]; real steps of each row.
  Tensor source_lengths;
  Tensor target_lengths;

  /// Pair of each row; -1 for an empty row that fills the batch: its masks are 0 throughout.
  std::vector<std::int32_t> pairs;
  /// Rows that are pairs; they come first.
  int real_rows = 0;
  /// Steps with mask 1.
  std::int64_t source_count = 0;
  std::int64_t target_count = 0;
  BatchPosition position;

  std::int64_t source_time() const { return source.shape()[0]; }
  std::int64_t target_time() const { return target_out.shape()[0]; }
  std::int64_t rows() const { return source.shape()[1]; }
};

/// Time sizes of one batch: tokens of the source, and of the target with its end token.
struct PairSize {
  std::int64_t source = 0;
  std::int64_t target = 0;

  friend bool operator==(const PairSize&, const PairSize&) = default;
};

/// What happens to a pair with a side that is too long: it is left out, or that side keeps its first tokens. Where a
/// target is cut, its last step predicts the token that followed, not the end.
enum class TooLong { leave_out, cut };

struct PairBatchOptions {
  int batch_size = 32;
  /// Longest sides in tokens, without the end token; 0 = no limit.
  std::int64_t max_source = 0;
  std::int64_t max_target = 0;
  TooLong too_long = TooLong::leave_out;
  /// Sizes of the batches: a pair goes to the first that holds it, and is too long when none does. Empty: sizes that
  /// grow by about 1.5 on both sides. Each size in use is one program.
  std::vector<PairSize> sizes = {};
  /// Sizes made here with fewer pairs than this many batches join a larger one.
  int fewest_batches = 4;
  /// The encoder reads the real tokens of the source last to first (Sutskever et al. 2014, section 3.3).
  bool reverse_source = false;
  /// Off: the same order in every epoch, by length; for evaluation.
  bool shuffle = true;
  std::uint64_t seed = 1;
};

/// Pairs in batches of similar lengths. Every batch has exactly batch_size rows and one of the sizes; the last batch of
/// a size is filled with empty rows. Each pair comes once an epoch; order is a function of (seed, epoch) alone. Pairs
/// with an empty source, or with nothing to predict, are left out. Shares the arrays of the pairs, which may go before
/// it. Not thread-safe.
class PairBatches {
 public:
  /// All pairs, or those listed (each counts as often as it is listed). Throws UsageError for bad options, DataError
  /// for an unknown pair or when none is left.
  explicit PairBatches(const EncodedPairs& pairs, PairBatchOptions options = {},
                       std::optional<std::vector<std::int32_t>> chosen = std::nullopt);

  /// The batch at position(), which moves on; after the last one of an epoch the next epoch begins.
  PairBatch next();

  std::int64_t batches_per_epoch() const { return order_.batches_per_epoch(); }
  std::int64_t pairs_per_epoch() const { return order_.members_per_epoch(); }
  /// Pairs left out: one side empty, and one side too long.
  std::int64_t left_out_empty() const { return left_out_empty_; }
  std::int64_t left_out_long() const { return left_out_long_; }
  /// Sizes in use, by source, then target.
  const std::vector<PairSize>& sizes() const { return sizes_; }

  BatchPosition position() const { return order_.position(); }
  /// Throws DataError for a position that is not in the data.
  void seek(const BatchPosition& position) { order_.seek(position); }

 private:
  PairSize length_of(std::int32_t pair) const;
  bool is_too_long(std::int32_t pair) const;
  bool ends_targets() const;
  void fill_buckets(const std::vector<std::int32_t>& pairs);
  void write_row(PairBatch& batch, std::size_t row, std::int32_t pair) const;

  EncodedPairs pairs_;
  PairBatchOptions options_;
  std::vector<PairSize> sizes_;
  std::int64_t left_out_empty_ = 0;
  std::int64_t left_out_long_ = 0;
  BatchOrder order_;
};

}  // namespace eddy
