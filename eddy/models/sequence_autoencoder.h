// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "eddy/models/text_model.h"

namespace eddy {

/// The sequence autoencoder of Dai & Le 2015, Figure 1: one network with one set of weights reads `w x y z <eos>` and
/// goes on with `w x y z`, predicting `w x y z <eos>` from <eos> on. `tokens` i32[time, batch] are documents with
/// their <eos>, `mask` f32[time, batch] marks the real steps. Rows of unequal lengths stay exact: the mask carries each
/// row's state from its last word to the common <eos> step. Yields the mean cross entropy per predicted token, f32[],
/// in nats. Throws GraphError for a bidirectional config, fewer than two steps, and shapes that do not fit.
Value sequence_autoencoder(ParameterStore& store, const TextModelConfig& config, Value tokens, Value mask, Mode mode,
                           SourceLocation where = SourceLocation::current());

}  // namespace eddy
