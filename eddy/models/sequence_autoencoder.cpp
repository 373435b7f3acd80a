// SPDX-License-Identifier: Apache-2.0
#include "eddy/models/sequence_autoencoder.h"

#include "eddy/graph/builder_scope.h"
#include "eddy/ops/shift.h"
#include "eddy/ops/slice.h"

namespace eddy {

Value sequence_autoencoder(ParameterStore& store, const TextModelConfig& config, Value tokens, Value mask, Mode mode,
                           SourceLocation where) {
  const BuilderScope at("sequence_autoencoder", "tokens", tokens, where);
  at.check(!config.bidirectional, "the sequence autoencoder has one direction, but the config asks for two");
  at.check(!config.encoder.reverse, "a stack that reads backwards would have read what it is to write");
  at.expect("tokens", tokens, i32, {"time", "batch"});
  at.expect("mask", mask, f32, {tokens.dim(0), tokens.dim(1)});
  Graph& graph = at.graph();
  const std::int64_t time = tokens.dim(0);
  at.check(time >= 2, "the sequence autoencoder needs at least two steps (a token and <eos>), not {}", time);
  StackState meaning;
  {
    const NameScope scope(graph, "read");
    // All words but <eos>, which is the first input of the second half.
    const Value words = slice(tokens, 0, 0, time - 1);
    const Value word_mask = slice(mask, 0, 1, time);
    meaning = encode_tokens(store, config, words, word_mask, mode).forward.last;
  }
  const NameScope scope(graph, "write");
  const Value inputs = shift(tokens, 1, config.end_of_sequence);
  const EncodedText decoded = encode_tokens(store, config, inputs, mask, mode, meaning);
  return vocabulary_loss(store, config, decoded.forward.outputs, tokens, mask, mode);
}

}  // namespace eddy
