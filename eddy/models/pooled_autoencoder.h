// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "eddy/models/text_model.h"

namespace eddy {

/// An autoencoder of the features that a classifier sees of a text (config.pooling, classifier_hidden_size): each token
/// is predicted from the encoder's state before it, as by a language model, to which a linear function of the text's
/// features is added ("context/w" [features, hidden], "context/b"). What a text is about then pays for every word of
/// it, and has to be in the features. Reading and writing are one pass of one encoder, where sequence_autoencoder() has
/// two; the loss tells how much the features know of the text, and is none of a language model. `tokens` i32[time,
/// batch] are documents with their <eos>, `mask` f32[time, batch] marks the real steps. Yields the mean cross entropy
/// per token, f32[], in nats. Throws GraphError for a bidirectional config and shapes that do not fit.
Value pooled_autoencoder(ParameterStore& store, const TextModelConfig& config, Value tokens, Value mask, Mode mode,
                         SourceLocation where = SourceLocation::current());

}  // namespace eddy
