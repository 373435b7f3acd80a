// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>

#include "eddy/core/tensor.h"

namespace eddy {

/// Counts right tokens and sequences that are right throughout. A plain value.
class SequenceAccuracy {
 public:
  /// predicted and target i32[time, batch], mask f32[time, batch]: steps with mask 0 do not count, nor do rows without
  /// a step. UsageError for shapes that differ.
  void add(const Tensor& predicted, const Tensor& target, const Tensor& mask);
  /// One sequence decoded freely: token t of the target is right when token t predicted is the same; the sequence is
  /// right when both are equal in length too.
  void add(std::span<const std::int32_t> predicted, std::span<const std::int32_t> target);

  std::int64_t tokens() const { return tokens_; }
  std::int64_t sequences() const { return sequences_; }
  /// Shares from 0 to 1; 0 when nothing was counted.
  double token_accuracy() const;
  double sequence_accuracy() const;

 private:
  std::int64_t tokens_ = 0;
  std::int64_t right_tokens_ = 0;
  std::int64_t sequences_ = 0;
  std::int64_t right_sequences_ = 0;
};

}  // namespace eddy
