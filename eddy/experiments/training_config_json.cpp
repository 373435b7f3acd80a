// SPDX-License-Identifier: Apache-2.0
#include "eddy/experiments/strict_json.h"
#include "eddy/experiments/training_config_members.h"

namespace eddy {

// Not in an unnamed namespace: the JSON templates find these by argument-dependent lookup.

void visit_members(Is<TextModelConfig> auto& model, auto& visit) {
  visit("vocabulary_size", model.vocabulary_size);
  visit("embedding_size", model.embedding_size);
  visit("normalize_embeddings", model.normalize_embeddings);
  visit("cell", model.encoder.cell);
  visit("hidden_size", model.encoder.hidden_size);
  visit("layers", model.encoder.layers);
  visit("reverse", model.encoder.reverse);
  visit("bidirectional", model.bidirectional);
  visit("forget_bias", model.encoder.forget_bias);
  visit("clip_cell", model.encoder.clip_cell);
  visit("layer_dropout", model.encoder.dropout);
  visit("word_dropout", model.word_dropout);
  visit("embedding_dropout", model.embedding_dropout);
  visit("output_dropout", model.output_dropout);
  visit("softmax_samples", model.softmax_samples);
  visit("adaptive_cutoffs", model.adaptive_cutoffs);
  visit("tied_softmax", model.tied_softmax);
  visit("classes", model.classes);
  visit("classifier_hidden_size", model.classifier_hidden_size);
  visit("classifier_dropout", model.classifier_dropout);
  visit("pooling", model.pooling);
  visit("end_of_sequence", model.end_of_sequence);
}

void visit_members(Is<AdversarialConfig> auto& adversarial, auto& visit) {
  visit("kind", adversarial.kind);
  visit("norm", adversarial.norm);
  visit("relative", adversarial.relative);
  visit("power_iterations", adversarial.power_iterations);
  visit("finite_difference", adversarial.finite_difference);
  visit("weight", adversarial.weight);
}

void visit_members(Is<TrainingConfig> auto& config, auto& visit) {
  visit("task", config.task);
  visit("joint_task", config.joint_task);
  visit("joint_weight", config.joint_weight);
  visit("adversarial", config.adversarial);
  visit("transferred", config.transferred);
  visit("model", config.model);
  visit("optimizer", config.optimizer);
  visit("layer_rate_decay", config.layer_rate_decay);
  visit("unfreeze_epochs", config.unfreeze_epochs);
  visit("batch_size", config.batch_size);
  visit("max_length", config.max_length);
  visit("evaluation_max_length", config.evaluation_max_length);
  visit("keep_last", config.keep_last);
  visit("bucket_growth", config.bucket_growth);
  visit("stream_steps", config.stream_steps);
  visit("row_width", config.row_width);
  visit("epochs", config.epochs);
  visit("max_steps", config.max_steps);
  visit("max_seconds", config.max_seconds);
  visit("patience", config.patience);
  visit("evaluation_interval", config.evaluation_interval);
  visit("validation_fraction", config.validation_fraction);
  visit("validation_by_group", config.validation_by_group);
  visit("seed", config.seed);
}

std::string to_json(const TrainingConfig& config) { return to_json_text(config, 2); }

TrainingConfig older_files_config() {
  TrainingConfig config;
  config.adversarial.relative = false;
  return config;
}

TrainingConfig training_config_from_json(std::string_view json, std::string_view where, TrainingConfig config) {
  read_config(json, where, config);
  return config;
}

}  // namespace eddy
