// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "eddy/models/text_model.h"

namespace eddy {

/// A language model over documents: reads inputs i32[time, batch] and predicts targets i32[time, batch], the next
/// tokens, where `weights` f32[time, batch] is not zero. `mask` f32[time, batch] marks the real steps.
/// A bidirectional config adds a model that reads backwards and predicts the token before, <eos> before the first one,
/// even of a text that was cut in front; both share embedding and softmax, and the loss is the mean of the two. With
/// `initial` the states of an earlier window are carried on (truncated backpropagation; forward direction only). Throws
/// GraphError when shapes do not fit.
struct LanguageModelResult {
  Value loss;       ///< f32[]: mean cross entropy in nats per predicted token
  StackState last;  ///< states to carry into the next window
};
LanguageModelResult language_model(ParameterStore& store, const TextModelConfig& config, Value inputs, Value mask,
                                   Value targets, Value weights, Mode mode, const StackState& initial = {},
                                   SourceLocation where = SourceLocation::current());

/// Inputs, targets and weights of a language model made inside the graph from documents that end with <eos>:
/// `w x y z <eos>` predicts `x y z <eos>`; nothing is asked of the last step (Dai & Le 2015, section 2). tokens
/// i32[time, batch], mask f32[time, batch]; the results are of the same types.
struct NextTokenTargets {
  Value targets;
  Value weights;
};
NextTokenTargets next_token_targets(const TextModelConfig& config, Value tokens, Value mask,
                                    SourceLocation where = SourceLocation::current());

}  // namespace eddy
