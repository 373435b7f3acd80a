// SPDX-License-Identifier: Apache-2.0
#include "eddy/experiments/architecture.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "eddy/experiments/training_config_names.h"

namespace eddy {

void take_architecture(const TextModelConfig& from, TextModelConfig& to) {
  to.vocabulary_size = from.vocabulary_size;
  to.embedding_size = from.embedding_size;
  to.normalize_embeddings = from.normalize_embeddings;
  to.encoder.cell = from.encoder.cell;
  to.encoder.hidden_size = from.encoder.hidden_size;
  to.encoder.layers = from.encoder.layers;
  to.encoder.reverse = from.encoder.reverse;
  to.encoder.forget_bias = from.encoder.forget_bias;
  to.encoder.clip_cell = from.encoder.clip_cell;
  to.bidirectional = from.bidirectional;
}

void take_features(const TextModelConfig& from, TextModelConfig& to) {
  to.pooling = from.pooling;
  to.classifier_hidden_size = from.classifier_hidden_size;
}

bool predicts_words(TrainingTask task) { return task != TrainingTask::classifier && task != TrainingTask::label_gain; }

std::optional<ArchitectureDifference> architecture_difference(const TrainingConfig& from_config,
                                                              const TrainingConfig& to_config) {
  const TextModelConfig &from = from_config.model, &to = to_config.model;
  std::optional<ArchitectureDifference> found;
  const auto compare = [&](std::string_view member, const auto& a, const auto& b) {
    if (!found && a != b) found = {member, fmt::format("{}", a), fmt::format("{}", b)};
  };
  compare("embedding_size", from.embedding_size, to.embedding_size);
  compare("normalize_embeddings", from.normalize_embeddings, to.normalize_embeddings);
  if (to_config.transferred == TransferredPart::embedding) return found;
  compare("hidden_size", from.encoder.hidden_size, to.encoder.hidden_size);
  compare("layers", from.encoder.layers, to.encoder.layers);
  compare("cell", name_of(from.encoder.cell), name_of(to.encoder.cell));
  compare("reverse", from.encoder.reverse, to.encoder.reverse);
  compare("bidirectional", from.bidirectional, to.bidirectional);
  // What was trained to be in these features would be looked for in others; linear gain reads the states themselves.
  if (from_config.task == TrainingTask::pooled_autoencoder && to_config.task != TrainingTask::label_gain) {
    compare("pooling", name_of(from.pooling), name_of(to.pooling));
    compare("classifier_hidden_size", from.classifier_hidden_size, to.classifier_hidden_size);
  }
  if (!predicts_words(from_config.task) || !predicts_words(to_config.task)) return found;
  compare("adaptive_cutoffs", from.adaptive_cutoffs, to.adaptive_cutoffs);
  compare("tied_softmax", from.tied_softmax, to.tied_softmax);
  return found;
}

}  // namespace eddy
