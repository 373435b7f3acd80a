// SPDX-License-Identifier: Apache-2.0
#include "eddy/models/text_classifier.h"

#include "eddy/graph/builtin.h"
#include "eddy/models/dense.h"
#include "eddy/models/language_model.h"
#include "eddy/models/sequence_autoencoder.h"
#include "eddy/models/text_arguments.h"
#include "eddy/models/text_features.h"
#include "eddy/ops/add.h"
#include "eddy/ops/broadcast_to.h"
#include "eddy/ops/cross_entropy.h"
#include "eddy/ops/dropout.h"
#include "eddy/ops/mul.h"
#include "eddy/ops/reshape.h"

namespace eddy {
namespace {

void check_config(const BuilderScope& at, const TextModelConfig& config) {
  at.check(config.classes >= 2, "a classifier needs at least two classes, not {}", config.classes);
  at.check(config.classifier_hidden_size >= 0, "classifier_hidden_size is {}, expected 0 or more",
           config.classifier_hidden_size);
  at.expect_rate("classifier_dropout", config.classifier_dropout);
  at.expect_rate("output_dropout", config.output_dropout);
}

Value output_scores(ParameterStore& store, const TextModelConfig& config, Value features) {
  return dense(store, {"classifier/output/w", "classifier/output/b"}, features, config.classes);
}

/// Class scores of features f32[..., features].
Value class_scores(ParameterStore& store, const TextModelConfig& config, Value features, Mode mode) {
  const NameScope scope(features.graph(), "classifier");
  features = hidden_features(store, config, features);
  if (mode == Mode::train && config.classifier_dropout > 0)
    features = dropout(features, config.classifier_dropout, random_key(features.graph(), store));
  return output_scores(store, config, features);
}

Value unsupervised_loss(ParameterStore& store, const TextModelConfig& config, Value tokens, Value mask,
                        UnsupervisedTask task, Mode mode) {
  if (task == UnsupervisedTask::autoencoder) return sequence_autoencoder(store, config, tokens, mask, mode);
  const NextTokenTargets next = next_token_targets(config, tokens, mask);
  return language_model(store, config, tokens, mask, next.targets, next.weights, mode).loss;
}

Value classify(ParameterStore& store, const TextModelConfig& config, Value embedded, Value mask, Mode mode,
               const FeatureDropouts& dropouts) {
  TextModelConfig encoder = config;
  encoder.output_dropout = 0;
  const EncodedText encoded = encode_embedded(store, encoder, embedded, mask, mode);
  const NameScope scope(embedded.graph(), "classifier");
  return output_scores(store, config, text_features(store, config, encoded, mask, dropouts));
}

}  // namespace

Value classify_embedded(ParameterStore& store, const TextModelConfig& config, Value embedded, Value mask, Mode mode,
                        SourceLocation where) {
  const BuilderScope at("classify_embedded", "embedded", embedded, where);
  check_config(at, config);
  at.expect("embedded", embedded, f32, {"time", "batch", "embedding_size"});
  if (mask || config.pooling != Pooling::last) at.expect("mask", mask, f32, {embedded.dim(0), embedded.dim(1)});
  return classify(store, config, embedded, mask, mode, draw_feature_dropouts(store, config, embedded, mode));
}

Value text_classifier(ParameterStore& store, const TextModelConfig& config, Value tokens, Value mask, Mode mode,
                      SourceLocation where) {
  const BuilderScope at("text_classifier", "tokens", tokens, where);
  check_config(at, config);
  expect_tokens(at, "tokens", tokens, mask);
  return classify_embedded(store, config, embed_tokens(store, config, tokens, mode), mask, mode);
}

Value classifier_loss(ParameterStore& store, const TextModelConfig& config, Value tokens, Value mask, Value labels,
                      Value row_weights, Mode mode, const AdversarialConfig& adversarial, SourceLocation where) {
  const BuilderScope at("classifier_loss", "tokens", tokens, where);
  check_config(at, config);
  expect_tokens(at, "tokens", tokens, mask);
  at.expect("labels", labels, i32, {tokens.dim(1)});
  at.expect("row_weights", row_weights, f32, {tokens.dim(1)});
  const auto loss = [&](Value scores) { return cross_entropy(scores, labels, {.weights = row_weights}); };
  const Value embedded = embed_tokens(store, config, tokens, mode);
  const FeatureDropouts dropouts = draw_feature_dropouts(store, config, embedded, mode);
  const auto model = [&](Value x) { return classify(store, config, x, mask, mode, dropouts); };
  const Value scores = model(embedded);
  if (adversarial.kind == Perturbation::none) return loss(scores);
  const ClassifierPass pass{.model = model,
                            .loss = loss,
                            .embedded = embedded,
                            .mask = mask,
                            .scores = scores,
                            .key = random_key(tokens.graph(), store),
                            .undropped = embed_tokens(store, config, tokens, Mode::infer)};
  return loss(scores) + adversarial_loss(pass, adversarial);
}

Value label_gain_loss(ParameterStore& store, const TextModelConfig& config, Value tokens, Value mask, Value labels,
                      Value step_weights, Mode mode, SourceLocation where) {
  const BuilderScope at("label_gain_loss", "tokens", tokens, where);
  check_config(at, config);
  at.check(!config.bidirectional, "linear label gain reads one direction, but the config asks for two");
  at.check(!config.encoder.reverse, "linear label gain reads forwards, but the config's encoder backwards");
  at.check(config.pooling == Pooling::last,
           "linear label gain scores the state of each step, so the config's pooling must be the last state");
  expect_tokens(at, "tokens", tokens, mask);
  at.expect("labels", labels, i32, {tokens.dim(1)});
  at.expect("step_weights", step_weights, f32, {tokens.dim(0), tokens.dim(1)});
  const EncodedText encoded = encode_tokens(store, config, tokens, mask, mode);
  const Value scores = class_scores(store, config, encoded.forward.outputs, mode);
  const Value step_labels = broadcast_to(expand_dims(labels, 0), step_weights.shape());
  return cross_entropy(scores, step_labels, {.weights = step_weights});
}

Value joint_loss(ParameterStore& store, const TextModelConfig& config, Value tokens, Value mask, Value labels,
                 Value row_weights, UnsupervisedTask task, float unsupervised_weight, Mode mode,
                 const AdversarialConfig& adversarial, SourceLocation where) {
  const BuilderScope at("joint_loss", "tokens", tokens, where);
  check_config(at, config);
  expect_tokens(at, "tokens", tokens, mask);
  const Value supervised = classifier_loss(store, config, tokens, mask, labels, row_weights, mode, adversarial);
  const Value unsupervised = unsupervised_loss(store, config, tokens, mask, task, mode);
  return supervised + unsupervised * unsupervised_weight;
}

}  // namespace eddy
