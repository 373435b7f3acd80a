// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "eddy/core/tensor.h"

namespace eddy {

/// Where a batcher stands: the next batch it will give. Saved in a checkpoint and given back to seek(), the same
/// batches follow, bit for bit.
struct BatchPosition {
  std::int64_t epoch = 0;
  std::int64_t index = 0;

  friend bool operator==(const BatchPosition&, const BatchPosition&) = default;
};

/// Time-major arrays for one step of training. Owns its tensors; a plain value.
struct Batch {
  /// i32[time, batch]; 0 where the mask is 0.
  Tensor tokens;
  /// f32[time, batch]; 1 for a real token. The real steps of a row are its first `lengths`.
  Tensor mask;
  /// i32[time, batch] and f32[time, batch]: what to predict and its weight in the loss; 0 where the mask is 0.
  /// Empty for Layout::plain.
  Tensor targets;
  Tensor weights;
  /// i32[batch]; 0 where there is no label, which row_weights tells apart.
  Tensor labels;
  /// f32[batch]; 1 for a real row with a label, else 0.
  Tensor row_weights;
  /// i32[batch]; steps of each row.
  Tensor lengths;

  /// Document of each row; -1 for an empty row that fills the batch. Empty for a stream batch.
  std::vector<std::int32_t> documents;
  /// Rows that are documents; they come first.
  int real_rows = 0;
  /// Steps with mask 1, and steps with a weight above 0, for rates and means.
  std::int64_t token_count = 0;
  std::int64_t target_count = 0;
  /// Where this batch stands in the data.
  BatchPosition position;
  /// Stream batches: the state at the end of the batch before must be carried into this one. False = start from zero.
  bool carry_state = false;

  std::int64_t time() const { return tokens.shape()[0]; }
  std::int64_t rows() const { return tokens.shape()[1]; }
};

}  // namespace eddy
