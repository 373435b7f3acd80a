// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "eddy/graph/graph.h"
#include "eddy/graph/variable.h"
#include "eddy/models/recurrent_stack.h"

namespace eddy {

/// What the classifier sees of a text.
enum class Pooling {
  last,       ///< the true final state of the top layer (Dai & Le 2015, section 2)
  mean,       ///< the mean of its states over the text
  last_mean,  ///< both, side by side
  concat,     ///< final state, mean and maximum, side by side (Howard & Ruder 2018, section 3.3)
};

/// Sizes and regularisation of a text model. Language model, sequence autoencoder and classifier of one config share
/// the parameters "embedding" and "encoder…", so weights go from one to the other by name.
struct TextModelConfig {
  std::int64_t vocabulary_size = 0;
  std::int64_t embedding_size = 128;
  /// Shifts and scales each embedding dimension to mean 0 and variance 1 over the words of the training text, in the
  /// graph (Miyato, Dai & Goodfellow 2017, section 3). A tied softmax reads the table as it is.
  bool normalize_embeddings = false;
  std::vector<std::int64_t> word_counts = {};  ///< of the vocabulary's words, for that; not part of the settings
  StackConfig encoder = {};
  bool bidirectional = false;  ///< a second, independent stack "encoder_reverse…" reads the text backwards

  float word_dropout = 0;       ///< chance that a token's whole embedding is zero
  float embedding_dropout = 0;  ///< chance that an embedding dimension is zero for a whole sequence
  /// On the outputs of the encoder at every step. A classifier with Pooling::last has it on the final states instead;
  /// with the others it reaches the mean and the maximum, by way of the outputs, but not the final states. The maximum
  /// is that of the outputs left, not scaled up as they are: one kept output decides it, whatever the others are.
  float output_dropout = 0;

  std::int64_t softmax_samples = 0;  ///< shared negatives of the sampled softmax while training; 0: full softmax
  /// Adaptive softmax: the ids at which its stretches begin, rising; see adaptive_softmax.h. Empty: one softmax over
  /// all words. Not with sampling or a tied softmax.
  std::vector<std::int64_t> adaptive_cutoffs = {};
  bool tied_softmax = false;  ///< the softmax table is the embedding (needs embedding_size = hidden_size)

  std::int64_t classes = 0;
  Pooling pooling = Pooling::last;
  std::int64_t classifier_hidden_size = 0;  ///< width of a relu layer before the classes; 0: none
  float classifier_dropout = 0;             ///< before the last linear layer
  std::int32_t end_of_sequence = 1;         ///< token id of <eos>
};

// The functions below throw GraphError with the user's line when shapes do not fit or the config does not hold
// together.

/// Whether dropout and sampling are on.
enum class Mode { train, infer };

/// What the encoder yields for tokens i32[time, batch] under mask f32[time, batch] (1 for real steps).
struct EncodedText {
  StackResult forward;
  StackResult reverse;  ///< empty unless bidirectional
};

/// Embeddings f32[time, batch, embedding_size] of the tokens, with normalisation and dropout as the config asks; of
/// tokens i32[time, batch].
Value embed_tokens(ParameterStore& store, const TextModelConfig& config, Value tokens, Mode mode,
                   SourceLocation where = SourceLocation::current());

/// Runs the encoder over embedded tokens f32[time, batch, embedding_size].
EncodedText encode_embedded(ParameterStore& store, const TextModelConfig& config, Value embedded, Value mask, Mode mode,
                            const StackState& initial = {}, SourceLocation where = SourceLocation::current());

/// Embeds the tokens and runs the encoder over them, from zero states or from `initial` (forward direction only).
/// `tokens` may also be f32[time, batch, features], read as they are in place of embeddings.
EncodedText encode_tokens(ParameterStore& store, const TextModelConfig& config, Value tokens, Value mask, Mode mode,
                          const StackState& initial = {}, SourceLocation where = SourceLocation::current());

/// Mean over all positions with a weight of the cross entropy of predicting `targets` i32[time, batch] from
/// hidden f32[time, batch, hidden_size]; `weights` f32[time, batch]. Parameters "softmax/table" [vocabulary, hidden]
/// (or the embedding when tied) and "softmax/bias". Training may use sampled softmax (Jean et al. 2015). f32[], in nats
/// per position.
Value vocabulary_loss(ParameterStore& store, const TextModelConfig& config, Value hidden, Value targets, Value weights,
                      Mode mode, SourceLocation where = SourceLocation::current());

/// Scores of the next token (of an adaptive softmax its log-probabilities), f32[..., vocabulary], for hidden f32[...,
/// hidden_size].
Value vocabulary_logits(ParameterStore& store, const TextModelConfig& config, Value hidden,
                        SourceLocation where = SourceLocation::current());

/// The next token of the largest score, i32[...]: sooner found than vocabulary_logits() computed where a loop decodes a
/// few rows (see linear_argmax).
Value likeliest_token(ParameterStore& store, const TextModelConfig& config, Value hidden,
                      SourceLocation where = SourceLocation::current());

}  // namespace eddy
