// SPDX-License-Identifier: Apache-2.0
#include "eddy/experiments/sequence_accuracy.h"

#include "eddy/core/error.h"
#include "eddy/experiments/metrics.h"

namespace eddy {

void SequenceAccuracy::add(const Tensor& predicted, const Tensor& target, const Tensor& mask) {
  require<UsageError>(
      target.shape().rank() == 2 && predicted.shape() == target.shape() && mask.shape() == target.shape(),
      "predictions {}, targets {} and mask {} cannot be compared; expected one shape [time, batch]",
      to_string(predicted.shape()), to_string(target.shape()), to_string(mask.shape()));
  const auto guesses = predicted.values<std::int32_t>();
  const auto truths = target.values<std::int32_t>();
  const auto counted = mask.values<float>();
  const auto rows = static_cast<std::size_t>(target.shape()[1]);
  for (std::size_t row = 0; row < rows; ++row) {
    std::int64_t steps = 0;
    std::int64_t right = 0;
    for (std::size_t at = row; at < truths.size(); at += rows) {
      if (counted[at] == 0) continue;
      ++steps;
      right += guesses[at] == truths[at] ? 1 : 0;
    }
    if (steps == 0) continue;
    tokens_ += steps;
    right_tokens_ += right;
    ++sequences_;
    right_sequences_ += right == steps ? 1 : 0;
  }
}

void SequenceAccuracy::add(std::span<const std::int32_t> predicted, std::span<const std::int32_t> target) {
  std::int64_t right = 0;
  for (std::size_t t = 0; t < target.size() && t < predicted.size(); ++t) right += predicted[t] == target[t] ? 1 : 0;
  const auto steps = static_cast<std::int64_t>(target.size());
  tokens_ += steps;
  right_tokens_ += right;
  ++sequences_;
  right_sequences_ += right == steps && predicted.size() == target.size() ? 1 : 0;
}

double SequenceAccuracy::token_accuracy() const { return share(right_tokens_, tokens_); }

double SequenceAccuracy::sequence_accuracy() const { return share(right_sequences_, sequences_); }

}  // namespace eddy
