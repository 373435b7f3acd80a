// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include "eddy/experiments/architecture.h"

namespace eddy {

TEST_CASE("an architecture is taken over whole, and nothing else is") {
  TrainingConfig from, to;
  from.task = to.task = TrainingTask::language_model;
  TextModelConfig& model = from.model;
  model.vocabulary_size = 77;
  model.embedding_size = 12;
  model.normalize_embeddings = true;
  model.encoder.cell = CellKind::gru;
  model.encoder.hidden_size = 24;
  model.encoder.layers = 3;
  model.encoder.reverse = true;
  model.encoder.forget_bias = 0.25F;
  model.encoder.clip_cell = 7;
  model.bidirectional = true;
  model.word_dropout = 0.5F;
  model.classes = 9;
  model.tied_softmax = true;
  const TextModelConfig before = to.model;
  take_architecture(model, to.model);
  CHECK(to.model.vocabulary_size == 77);
  CHECK(to.model.embedding_size == 12);
  CHECK(to.model.normalize_embeddings);
  CHECK(to.model.encoder.cell == CellKind::gru);
  CHECK(to.model.encoder.hidden_size == 24);
  CHECK(to.model.encoder.layers == 3);
  CHECK(to.model.encoder.reverse);
  CHECK(to.model.encoder.forget_bias == 0.25F);
  CHECK(to.model.encoder.clip_cell == 7);
  CHECK(to.model.bidirectional);
  CHECK(to.model.word_dropout == before.word_dropout);
  CHECK(to.model.classes == before.classes);
  CHECK(to.model.tied_softmax == before.tied_softmax);
}

}  // namespace eddy
