// SPDX-License-Identifier: Apache-2.0
#include "eddy/models/text_classifier.h"

#include "eddy/graph/builtin.h"
#include "eddy/models/dense.h"
#include "eddy/models/language_model.h"
#include "eddy/models/sequence_autoencoder.h"
#include "eddy/models/text_arguments.h"
#include "eddy/ops/add.h"
#include "eddy/ops/broadcast_to.h"
#include "eddy/ops/concat.h"
#include "eddy/ops/cross_entropy.h"
#include "eddy/ops/div.h"
#include "eddy/ops/dropout.h"
#include "eddy/ops/max.h"
#include "eddy/ops/maximum.h"
#include "eddy/ops/minimum.h"
#include "eddy/ops/mul.h"
#include "eddy/ops/relu.h"
#include "eddy/ops/reshape.h"
#include "eddy/ops/sub.h"
#include "eddy/ops/sum.h"

namespace eddy {
namespace {

void check_config(const BuilderScope& at, const TextModelConfig& config) {
  at.check(config.classes >= 2, "a classifier needs at least two classes, not {}", config.classes);
  at.check(config.classifier_hidden_size >= 0, "classifier_hidden_size is {}, expected 0 or more",
           config.classifier_hidden_size);
  at.expect_rate("classifier_dropout", config.classifier_dropout);
  at.expect_rate("output_dropout", config.output_dropout);
}

Value hidden_features(ParameterStore& store, const TextModelConfig& config, Value features) {
  if (config.classifier_hidden_size == 0) return features;
  return relu(dense(store, {"classifier/hidden/w", "classifier/hidden/b"}, features, config.classifier_hidden_size));
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

Value times(Value x, Value factors) { return factors ? x * factors : x; }

/// What a classifier drops of a batch of texts, as factors. Drawn once, so that a perturbed text differs from the text
/// in the perturbation alone.
struct ClassifierDropouts {
  Value outputs, reverse_outputs;  ///< f32[time, batch, hidden], or [batch, hidden] of final states; empty: none
  Value features;                  ///< f32[batch, features]
};

ClassifierDropouts draw_dropouts(Graph& graph, ParameterStore& store, const TextModelConfig& config, Value embedded,
                                 Mode mode) {
  if (mode != Mode::train) return {};
  const NameScope scope(graph, "classifier");
  const auto factors = [&](float rate, const Shape& shape) {
    if (rate == 0) return Value();
    return dropout(full(graph, {f32, shape}, 1), rate, random_key(graph, store));
  };
  const std::int64_t time = embedded.dim(0), batch = embedded.dim(1), hidden = config.encoder.hidden_size;
  const Shape read = config.pooling == Pooling::last ? Shape{batch, hidden} : Shape{time, batch, hidden};
  const std::int64_t parts = config.pooling == Pooling::concat ? 3 : config.pooling == Pooling::last_mean ? 2 : 1;
  const std::int64_t pooled_width = parts * hidden * (config.bidirectional ? 2 : 1);
  ClassifierDropouts drawn;
  drawn.outputs = factors(config.output_dropout, read);
  if (config.bidirectional) drawn.reverse_outputs = factors(config.output_dropout, read);
  const std::int64_t width = config.classifier_hidden_size > 0 ? config.classifier_hidden_size : pooled_width;
  drawn.features = factors(config.classifier_dropout, {batch, width});
  return drawn;
}

/// Features f32[batch, …] of the top layer's states under `mask` f32[time, batch]. `factors` of a dropout at this rate
/// for what is read of the states; empty: none.
std::vector<Value> pooled(const StackResult& states, Value mask, Pooling pooling, Value factors, float rate) {
  if (pooling == Pooling::last) return {times(states.last.h.back(), factors)};
  std::vector<Value> features;
  if (pooling != Pooling::mean) features.push_back(states.last.h.back());
  const Value outputs = times(states.outputs, factors);
  // Masked steps are zero, so the sum is that of the real ones; an empty row has none.
  const Value steps = expand_dims(sum(mask, {0}), 1);
  features.push_back(sum(outputs, {0}) / maximum(steps, 1.0f));
  if (pooling != Pooling::concat) return features;
  // Far below any state, so that masked steps do not count; of an empty row nothing is left.
  const Value largest = max(outputs - expand_dims((1.0f - mask) * 100.0f, 2), {0}) * minimum(steps, 1.0f);
  features.push_back(factors ? largest * (1 - rate) : largest);
  return features;
}

Value unsupervised_loss(ParameterStore& store, const TextModelConfig& config, Value tokens, Value mask,
                        UnsupervisedTask task, Mode mode) {
  if (task == UnsupervisedTask::autoencoder) return sequence_autoencoder(store, config, tokens, mask, mode);
  const NextTokenTargets next = next_token_targets(config, tokens, mask);
  return language_model(store, config, tokens, mask, next.targets, next.weights, mode).loss;
}

Value classify(ParameterStore& store, const TextModelConfig& config, Value embedded, Value mask, Mode mode,
               const ClassifierDropouts& dropouts) {
  TextModelConfig encoder = config;
  encoder.output_dropout = 0;
  const EncodedText encoded = encode_embedded(store, encoder, embedded, mask, mode);
  std::vector<Value> parts = pooled(encoded.forward, mask, config.pooling, dropouts.outputs, config.output_dropout);
  if (config.bidirectional)
    for (const Value& part :
         pooled(encoded.reverse, mask, config.pooling, dropouts.reverse_outputs, config.output_dropout))
      parts.push_back(part);
  const NameScope scope(embedded.graph(), "classifier");
  const Value features = hidden_features(store, config, parts.size() == 1 ? parts[0] : concat(parts, 1));
  return output_scores(store, config, times(features, dropouts.features));
}

}  // namespace

Value classify_embedded(ParameterStore& store, const TextModelConfig& config, Value embedded, Value mask, Mode mode,
                        SourceLocation where) {
  const BuilderScope at("classify_embedded", "embedded", embedded, where);
  check_config(at, config);
  at.expect("embedded", embedded, f32, {"time", "batch", "embedding_size"});
  if (mask || config.pooling != Pooling::last) at.expect("mask", mask, f32, {embedded.dim(0), embedded.dim(1)});
  return classify(store, config, embedded, mask, mode, draw_dropouts(at.graph(), store, config, embedded, mode));
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
  const ClassifierDropouts dropouts = draw_dropouts(at.graph(), store, config, embedded, mode);
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
