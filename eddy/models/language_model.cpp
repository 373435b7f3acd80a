// SPDX-License-Identifier: Apache-2.0
#include "eddy/models/language_model.h"

#include "eddy/ops/add.h"
#include "eddy/ops/mul.h"
#include "eddy/ops/shift.h"

namespace eddy {

LanguageModelResult language_model(ParameterStore& store, const TextModelConfig& config, Value inputs, Value mask,
                                   Value targets, Value weights, Mode mode, const StackState& initial) {
  require<GraphError>(!config.bidirectional || initial.h.empty(),
                      "a bidirectional language model cannot carry its state");
  const EncodedText encoded = encode_tokens(store, config, inputs, mask, mode, initial);
  Value loss = vocabulary_loss(store, config, encoded.forward.outputs, targets, weights, mode);
  if (config.bidirectional) {
    // Step t of the reverse stack has read t and all after it; it predicts the token at t - 1.
    const Value before = shift(inputs, 1, config.end_of_sequence);
    loss = (loss + vocabulary_loss(store, config, encoded.reverse.outputs, before, mask, mode)) * 0.5f;
  }
  return {loss, encoded.forward.last};
}

NextTokenTargets next_token_targets(const TextModelConfig& config, Value tokens, Value mask) {
  return {shift(tokens, -1, config.end_of_sequence), shift(mask, -1, 0)};
}

}  // namespace eddy
