// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>

#include "eddy/models/repeated_context.h"
#include "eddy/models/sequence_decoding.h"

namespace eddy {

/// A model that turns one sequence of tokens into another, as graphs over one batch: training and decoding share the
/// parameters of a store by name. A plain value.
struct PairModel {
  std::string name;    ///< of a row of the table and of its files
  std::string config;  ///< JSON: what a checkpoint must agree in to belong to it
  /// The mean loss of a batch, f32[].
  std::function<Value(ParameterStore& store, const PairValues& pairs)> loss;
  /// What it makes of source i32[time, batch] under its mask alone, in `steps` steps.
  std::function<GreedySequence(ParameterStore& store, Value source, Value mask, std::int64_t steps)> decode;
  /// It writes a fixed number of steps, whatever is asked for.
  bool fixed_length = false;
};

/// What the scores of each step are compared with: the one-hot target, or the target under a softmax.
enum class FrameLoss { squared_error, cross_entropy };

/// repeated_context() on frames, whose padding counts like any character.
PairModel repeated_context_model(const std::string& name, const RepeatedContextConfig& config, FrameLoss loss);

/// An encoder-decoder that reads tokens; `go` begins its output. Feedback must be Feedback::token.
PairModel sequence_model(const std::string& name, const SequenceToSequenceConfig& config, std::int32_t go);

}  // namespace eddy
