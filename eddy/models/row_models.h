// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "eddy/models/text_model.h"

namespace eddy {

/// Models of sequences of number rows f32[time, batch, width], such as the rows of an image, in place of words (Dai &
/// Le 2015, section 4.5). The encoder is that of the text models, without an embedding, so its weights go on to a
/// classifier by name; predictions are linear in its outputs: "rows/w" [hidden, width], "rows/b" [width]. `mask`
/// f32[time, batch] marks the real rows. One direction; both throw GraphError for a bidirectional config.

/// Mean squared error of predicting each row from those before it; nothing is asked about the first. f32[]; throws
/// GraphError for fewer than two rows.
Value next_row_loss(ParameterStore& store, const TextModelConfig& config, Value rows, Value mask, Mode mode,
                    SourceLocation where = SourceLocation::current());

/// Mean squared error of reading all rows and then writing them again from the state, each from the true one before it
/// (the first from zeros). The state is that after each sequence's last real row. f32[].
Value row_autoencoder_loss(ParameterStore& store, const TextModelConfig& config, Value rows, Value mask, Mode mode,
                           SourceLocation where = SourceLocation::current());

/// Mean squared error of predicting each row as pooled_autoencoder() predicts a token: from the state before it and the
/// features that a classifier sees of them all. f32[].
Value row_pooled_autoencoder_loss(ParameterStore& store, const TextModelConfig& config, Value rows, Value mask,
                                  Mode mode, SourceLocation where = SourceLocation::current());

}  // namespace eddy
