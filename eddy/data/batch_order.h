// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal: part of the batchers.

#include <cstdint>
#include <span>
#include <vector>

#include "eddy/data/batch.h"

namespace eddy {

struct BatchOrderOptions {
  int batch_size = 32;
  /// Off: the buckets in turn, each in the order it was given, in every epoch.
  bool shuffle = true;
  std::uint64_t seed = 1;
  /// What is left of a bucket, too few for a batch, joins the next bucket of the epoch, so that all batches but one
  /// are whole: a text in a small batch would count for more. Not without shuffling.
  bool carry_over = false;
  /// Tells orders of one seed apart.
  std::uint64_t stream = 0;
};

/// Which members of some buckets make up which batch, and where an epoch stands. Each member comes once an epoch, the
/// last batch of a bucket (with carry_over: of the last one) may be smaller; the order is a function of (seed, stream,
/// epoch) alone. Not thread-safe.
class BatchOrder {
 public:
  BatchOrder() = default;
  /// No bucket may be empty.
  BatchOrder(std::vector<std::vector<std::int32_t>> buckets, const BatchOrderOptions& options);

  struct Batch {
    std::size_t bucket = 0;
    std::span<const std::int32_t> members;  ///< valid until the next call
    BatchPosition position;
  };
  /// The batch at position(), which moves on; after the last one of an epoch the next epoch begins. Not for an order
  /// without buckets.
  Batch next();

  std::int64_t batches_per_epoch() const { return batches_per_epoch_; }
  std::int64_t members_per_epoch() const { return members_per_epoch_; }
  const BatchPosition& position() const { return position_; }
  /// Throws DataError for a position that is not in the data.
  void seek(const BatchPosition& position);

 private:
  struct Planned {
    std::size_t bucket = 0;
    std::size_t first = 0;
  };
  void plan_epoch();
  void carry_over(std::size_t bucket);

  BatchOrderOptions options_;
  /// As given, and in the order of the planned epoch.
  std::vector<std::vector<std::int32_t>> buckets_, ordered_;
  std::vector<Planned> plan_;
  std::int64_t planned_epoch_ = -1;
  std::int64_t batches_per_epoch_ = 0;
  std::int64_t members_per_epoch_ = 0;
  BatchPosition position_;
};

}  // namespace eddy
