// SPDX-License-Identifier: Apache-2.0
#include "eddy/models/text_model.h"

#include <cmath>

#include "eddy/graph/builtin.h"
#include "eddy/models/evaluation_loss.h"
#include "eddy/ops/cross_entropy.h"
#include "eddy/ops/dropout.h"
#include "eddy/ops/embedding.h"
#include "eddy/ops/linear.h"
#include "eddy/ops/reshape.h"
#include "eddy/ops/sampled_softmax.h"

namespace eddy {
namespace {

Value embedding_table(Graph& graph, ParameterStore& store, const TextModelConfig& config) {
  return parameter(graph, store, "embedding", {config.vocabulary_size, config.embedding_size}, uniform(0.1f));
}

struct Softmax {
  Value table, bias;
};

Softmax softmax_parameters(Graph& graph, ParameterStore& store, const TextModelConfig& config) {
  const std::int64_t hidden = config.encoder.hidden_size;
  require<GraphError>(!config.tied_softmax || config.embedding_size == hidden,
                      "a tied softmax needs embedding_size = hidden_size, but they are {} and {}",
                      config.embedding_size, hidden);
  const float limit = 1.0f / std::sqrt(static_cast<float>(hidden));
  const Value table = config.tied_softmax
                          ? embedding_table(graph, store, config)
                          : parameter(graph, store, "softmax/table", {config.vocabulary_size, hidden}, uniform(limit));
  return {table, parameter(graph, store, "softmax/bias", {config.vocabulary_size}, zeros())};
}

}  // namespace

EncodedText encode_tokens(ParameterStore& store, const TextModelConfig& config, Value tokens, Value mask, Mode mode,
                          const StackState& initial) {
  Graph& graph = tokens.graph();
  const NameScope scope(graph, "encoder");
  const bool training = mode == Mode::train;
  const bool random = config.word_dropout > 0 || config.embedding_dropout > 0 || config.output_dropout > 0 ||
                      config.encoder.dropout > 0;
  const Value key = training && random ? random_key(graph, store) : Value();
  Value x = embedding(embedding_table(graph, store, config), tokens);
  if (key && config.word_dropout > 0) x = dropout(x, config.word_dropout, key, {.broadcast_axes = {2}});
  if (key && config.embedding_dropout > 0) x = dropout(x, config.embedding_dropout, key, {.broadcast_axes = {0}});
  EncodedText result;
  result.forward = recurrent_stack(store, "encoder", config.encoder, x, mask, initial, key);
  if (config.bidirectional) {
    StackConfig reverse = config.encoder;
    reverse.reverse = !reverse.reverse;
    result.reverse = recurrent_stack(store, "encoder_reverse", reverse, x, mask, {}, key);
  }
  if (key && config.output_dropout > 0) {
    result.forward.outputs = dropout(result.forward.outputs, config.output_dropout, key);
    if (config.bidirectional) result.reverse.outputs = dropout(result.reverse.outputs, config.output_dropout, key);
  }
  return result;
}

Value vocabulary_logits(ParameterStore& store, const TextModelConfig& config, Value hidden) {
  const Softmax softmax = softmax_parameters(hidden.graph(), store, config);
  return linear(hidden, softmax.table, softmax.bias, {.transpose_w = true});
}

Value vocabulary_loss(ParameterStore& store, const TextModelConfig& config, Value hidden, Value targets, Value weights,
                      Mode mode) {
  Graph& graph = hidden.graph();
  const NameScope scope(graph, "softmax");
  if (mode == Mode::infer) {
    const Softmax softmax = softmax_parameters(graph, store, config);
    const auto logits = [&](Value rows) { return linear(rows, softmax.table, softmax.bias, {.transpose_w = true}); };
    return evaluation_loss(hidden, targets, weights, config.vocabulary_size, logits);
  }
  const std::int64_t positions = targets.shape().elements();
  const Value rows = reshape(hidden, {positions, hidden.dim(-1)});
  const Value flat_targets = reshape(targets, {positions});
  const Value flat_weights = reshape(weights, {positions});
  if (config.softmax_samples > 0) {
    const Softmax softmax = softmax_parameters(graph, store, config);
    const SampledIds samples =
        log_uniform_sampler(random_key(graph, store), config.softmax_samples, config.vocabulary_size, flat_targets);
    return sampled_softmax_cross_entropy(rows, softmax.table, softmax.bias, flat_targets, samples,
                                         {.weights = flat_weights});
  }
  return cross_entropy(vocabulary_logits(store, config, rows), flat_targets, {.weights = flat_weights});
}

}  // namespace eddy
