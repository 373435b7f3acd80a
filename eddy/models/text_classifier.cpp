// SPDX-License-Identifier: Apache-2.0
#include "eddy/models/text_classifier.h"

#include "eddy/models/language_model.h"
#include "eddy/models/sequence_autoencoder.h"
#include "eddy/models/text_arguments.h"
#include "eddy/ops/add.h"
#include "eddy/ops/broadcast_to.h"
#include "eddy/ops/concat.h"
#include "eddy/ops/cross_entropy.h"
#include "eddy/ops/div.h"
#include "eddy/ops/dropout.h"
#include "eddy/ops/linear.h"
#include "eddy/ops/max.h"
#include "eddy/ops/maximum.h"
#include "eddy/ops/mul.h"
#include "eddy/ops/relu.h"
#include "eddy/ops/reshape.h"
#include "eddy/ops/sub.h"
#include "eddy/ops/sum.h"

namespace eddy {
namespace {

Value dense(ParameterStore& store, const std::string& name, Value x, std::int64_t size) {
  Graph& graph = x.graph();
  const Value w = parameter(graph, store, name + "/w", {x.dim(-1), size}, glorot_uniform());
  return linear(x, w, parameter(graph, store, name + "/b", {size}, zeros()));
}

void check_classes(const BuilderScope& at, const TextModelConfig& config) {
  at.check(config.classes >= 2, "a classifier needs at least two classes, not {}", config.classes);
}

/// Class scores of features f32[..., features].
Value class_scores(ParameterStore& store, const TextModelConfig& config, Value features, Mode mode) {
  const NameScope scope(features.graph(), "classifier");
  if (config.classifier_hidden_size > 0)
    features = relu(dense(store, "classifier/hidden", features, config.classifier_hidden_size));
  if (mode == Mode::train && config.classifier_dropout > 0)
    features = dropout(features, config.classifier_dropout, random_key(features.graph(), store));
  return dense(store, "classifier/output", features, config.classes);
}

/// Features f32[batch, …] of the top layer's states under `mask` f32[time, batch].
std::vector<Value> pooled(const StackResult& states, Value mask, Pooling pooling) {
  std::vector<Value> features;
  if (pooling != Pooling::mean) features.push_back(states.last.h.back());
  if (pooling == Pooling::last) return features;
  // Masked steps are zero, so the sum is that of the real ones; an empty row has none.
  const Value length = maximum(sum(mask, {0}), 1.0f);
  features.push_back(sum(states.outputs, {0}) / expand_dims(length, 1));
  // Far below any state, so that masked steps do not count.
  if (pooling == Pooling::concat) features.push_back(max(states.outputs - expand_dims((1.0f - mask) * 100.0f, 2), {0}));
  return features;
}

Value unsupervised_loss(ParameterStore& store, const TextModelConfig& config, Value tokens, Value mask,
                        UnsupervisedTask task, Mode mode) {
  if (task == UnsupervisedTask::autoencoder) return sequence_autoencoder(store, config, tokens, mask, mode);
  const NextTokenTargets next = next_token_targets(config, tokens, mask);
  return language_model(store, config, tokens, mask, next.targets, next.weights, mode).loss;
}

}  // namespace

Value classify_embedded(ParameterStore& store, const TextModelConfig& config, Value embedded, Value mask, Mode mode,
                        SourceLocation where) {
  const BuilderScope at("classify_embedded", "embedded", embedded, where);
  check_classes(at, config);
  at.expect("embedded", embedded, f32, {"time", "batch", "embedding_size"});
  if (mask || config.pooling != Pooling::last) at.expect("mask", mask, f32, {embedded.dim(0), embedded.dim(1)});
  const EncodedText encoded = encode_embedded(store, config, embedded, mask, mode);
  std::vector<Value> parts = pooled(encoded.forward, mask, config.pooling);
  if (config.bidirectional)
    for (const Value& part : pooled(encoded.reverse, mask, config.pooling)) parts.push_back(part);
  Value features = parts.size() == 1 ? parts[0] : concat(parts, 1);
  if (mode == Mode::train && config.output_dropout > 0 && config.pooling == Pooling::last)
    features = dropout(features, config.output_dropout, random_key(features.graph(), store));
  return class_scores(store, config, features, mode);
}

Value text_classifier(ParameterStore& store, const TextModelConfig& config, Value tokens, Value mask, Mode mode,
                      SourceLocation where) {
  const BuilderScope at("text_classifier", "tokens", tokens, where);
  check_classes(at, config);
  expect_tokens(at, "tokens", tokens, mask);
  return classify_embedded(store, config, embed_tokens(store, config, tokens, mode), mask, mode);
}

Value classifier_loss(ParameterStore& store, const TextModelConfig& config, Value tokens, Value mask, Value labels,
                      Value row_weights, Mode mode, const AdversarialConfig& adversarial, SourceLocation where) {
  const BuilderScope at("classifier_loss", "tokens", tokens, where);
  check_classes(at, config);
  expect_tokens(at, "tokens", tokens, mask);
  at.expect("labels", labels, i32, {tokens.dim(1)});
  at.expect("row_weights", row_weights, f32, {tokens.dim(1)});
  const auto loss = [&](Value scores) { return cross_entropy(scores, labels, {.weights = row_weights}); };
  const auto model = [&](Value embedded) { return classify_embedded(store, config, embedded, mask, mode); };
  const Value embedded = embed_tokens(store, config, tokens, mode);
  const Value scores = model(embedded);
  if (adversarial.kind == Perturbation::none) return loss(scores);
  const ClassifierPass pass{.model = model,
                            .loss = loss,
                            .embedded = embedded,
                            .mask = mask,
                            .scores = scores,
                            .key = random_key(tokens.graph(), store)};
  return loss(scores) + adversarial_loss(pass, adversarial);
}

Value label_gain_loss(ParameterStore& store, const TextModelConfig& config, Value tokens, Value mask, Value labels,
                      Value step_weights, Mode mode, SourceLocation where) {
  const BuilderScope at("label_gain_loss", "tokens", tokens, where);
  check_classes(at, config);
  at.check(!config.bidirectional, "linear label gain reads one direction, but the config asks for two");
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
  check_classes(at, config);
  expect_tokens(at, "tokens", tokens, mask);
  const Value supervised = classifier_loss(store, config, tokens, mask, labels, row_weights, mode, adversarial);
  const Value unsupervised = unsupervised_loss(store, config, tokens, mask, task, mode);
  return supervised + unsupervised * unsupervised_weight;
}

}  // namespace eddy
