// SPDX-License-Identifier: Apache-2.0
#include "eddy/models/text_classifier.h"

#include "eddy/models/language_model.h"
#include "eddy/models/sequence_autoencoder.h"
#include "eddy/ops/add.h"
#include "eddy/ops/broadcast_to.h"
#include "eddy/ops/concat.h"
#include "eddy/ops/cross_entropy.h"
#include "eddy/ops/dropout.h"
#include "eddy/ops/linear.h"
#include "eddy/ops/mul.h"
#include "eddy/ops/relu.h"
#include "eddy/ops/reshape.h"

namespace eddy {
namespace {

Value dense(ParameterStore& store, const std::string& name, Value x, std::int64_t size) {
  Graph& graph = x.graph();
  const Value w = parameter(graph, store, name + "/w", {x.dim(-1), size}, glorot_uniform());
  return linear(x, w, parameter(graph, store, name + "/b", {size}, zeros()));
}

/// Class scores of features f32[..., features].
Value class_scores(ParameterStore& store, const TextModelConfig& config, Value features, Mode mode) {
  require<GraphError>(config.classes >= 2, "a classifier needs at least two classes, not {}", config.classes);
  const NameScope scope(features.graph(), "classifier");
  if (config.classifier_hidden_size > 0)
    features = relu(dense(store, "classifier/hidden", features, config.classifier_hidden_size));
  if (mode == Mode::train && config.classifier_dropout > 0)
    features = dropout(features, config.classifier_dropout, random_key(features.graph(), store));
  return dense(store, "classifier/output", features, config.classes);
}

}  // namespace

Value text_classifier(ParameterStore& store, const TextModelConfig& config, Value tokens, Value mask, Mode mode) {
  const EncodedText encoded = encode_tokens(store, config, tokens, mask, mode);
  Value features = encoded.forward.last.h.back();
  if (config.bidirectional) features = concat({features, encoded.reverse.last.h.back()}, 1);
  if (mode == Mode::train && config.output_dropout > 0)
    features = dropout(features, config.output_dropout, random_key(features.graph(), store));
  return class_scores(store, config, features, mode);
}

Value classifier_loss(ParameterStore& store, const TextModelConfig& config, Value tokens, Value mask, Value labels,
                      Value row_weights, Mode mode) {
  return cross_entropy(text_classifier(store, config, tokens, mask, mode), labels, {.weights = row_weights});
}

Value label_gain_loss(ParameterStore& store, const TextModelConfig& config, Value tokens, Value mask, Value labels,
                      Value step_weights, Mode mode) {
  require<GraphError>(!config.bidirectional, "linear label gain reads one direction, but the config asks for two");
  const EncodedText encoded = encode_tokens(store, config, tokens, mask, mode);
  const Value scores = class_scores(store, config, encoded.forward.outputs, mode);
  const Value step_labels = broadcast_to(expand_dims(labels, 0), step_weights.shape());
  return cross_entropy(scores, step_labels, {.weights = step_weights});
}

Value joint_loss(ParameterStore& store, const TextModelConfig& config, Value tokens, Value mask, Value labels,
                 Value row_weights, UnsupervisedTask task, float unsupervised_weight, Mode mode) {
  const Value supervised = classifier_loss(store, config, tokens, mask, labels, row_weights, mode);
  Value unsupervised;
  if (task == UnsupervisedTask::language_model) {
    const NextTokenTargets next = next_token_targets(config, tokens, mask);
    unsupervised = language_model(store, config, tokens, mask, next.targets, next.weights, mode).loss;
  } else {
    unsupervised = sequence_autoencoder(store, config, tokens, mask, mode);
  }
  return supervised + unsupervised * unsupervised_weight;
}

}  // namespace eddy
