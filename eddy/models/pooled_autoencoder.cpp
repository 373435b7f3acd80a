// SPDX-License-Identifier: Apache-2.0
#include "eddy/models/pooled_autoencoder.h"

#include "eddy/graph/builder_scope.h"
#include "eddy/models/text_features.h"

namespace eddy {

Value pooled_autoencoder(ParameterStore& store, const TextModelConfig& config, Value tokens, Value mask, Mode mode,
                         SourceLocation where) {
  const BuilderScope at("pooled_autoencoder", "tokens", tokens, where);
  at.check(!config.bidirectional, "the pooled autoencoder has one direction, but the config asks for two");
  at.check(!config.encoder.reverse, "a stack that reads backwards would have read what it is to write");
  at.expect("tokens", tokens, i32, {"time", "batch"});
  at.expect("mask", mask, f32, {tokens.dim(0), tokens.dim(1)});
  const Value embedded = embed_tokens(store, config, tokens, mode);
  return vocabulary_loss(store, config, states_before(store, config, embedded, mask, mode), tokens, mask, mode);
}

}  // namespace eddy
