// SPDX-License-Identifier: Apache-2.0
#include "eddy/models/language_model.h"

#include "eddy/models/text_arguments.h"
#include "eddy/ops/add.h"
#include "eddy/ops/mul.h"
#include "eddy/ops/shift.h"

namespace eddy {

LanguageModelResult language_model(ParameterStore& store, const TextModelConfig& config, Value inputs, Value mask,
                                   Value targets, Value weights, Mode mode, const StackState& initial,
                                   SourceLocation where) {
  const BuilderScope at("language_model", "inputs", inputs, where);
  at.check(!config.encoder.reverse,
           "a stack that reads backwards would have read what it is to predict; bidirectional "
           "adds one that predicts what stands before");
  at.check(!config.bidirectional || initial.h.empty(), "a bidirectional language model cannot carry its state");
  at.check(!config.bidirectional || mask, "a bidirectional language model needs a mask, to know where texts end");
  expect_tokens(at, "inputs", inputs, mask);
  at.expect("targets", targets, i32, {inputs.dim(0), inputs.dim(1)});
  at.expect("weights", weights, f32, {inputs.dim(0), inputs.dim(1)});
  const EncodedText encoded = encode_tokens(store, config, inputs, mask, mode, initial);
  Value loss = vocabulary_loss(store, config, encoded.forward.outputs, targets, weights, mode);
  if (config.bidirectional) {
    // Step t of the reverse stack has read t and all after it; it predicts the token at t - 1.
    const Value before = shift(inputs, 1, config.end_of_sequence);
    loss = (loss + vocabulary_loss(store, config, encoded.reverse.outputs, before, mask, mode)) * 0.5f;
  }
  return {loss, encoded.forward.last};
}

NextTokenTargets next_token_targets(const TextModelConfig& config, Value tokens, Value mask, SourceLocation where) {
  const BuilderScope at("next_token_targets", "tokens", tokens, where);
  at.expect("tokens", tokens, i32, {"time", "batch"});
  at.expect("mask", mask, f32, {tokens.dim(0), tokens.dim(1)});
  return {shift(tokens, -1, config.end_of_sequence), shift(mask, -1, 0)};
}

}  // namespace eddy
