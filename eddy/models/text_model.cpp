// SPDX-License-Identifier: Apache-2.0
#include "eddy/models/text_model.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "eddy/core/number_text.h"
#include "eddy/graph/builtin.h"
#include "eddy/models/adaptive_softmax.h"
#include "eddy/models/softmax_loss.h"
#include "eddy/models/text_arguments.h"
#include "eddy/ops/add.h"
#include "eddy/ops/argmax.h"
#include "eddy/ops/dropout.h"
#include "eddy/ops/embedding.h"
#include "eddy/ops/linear.h"
#include "eddy/ops/linear_argmax.h"
#include "eddy/ops/matmul.h"
#include "eddy/ops/mul.h"
#include "eddy/ops/reshape.h"
#include "eddy/ops/rsqrt.h"
#include "eddy/ops/square.h"
#include "eddy/ops/sub.h"

namespace eddy {
namespace {

Value embedding_table(Graph& graph, ParameterStore& store, const TextModelConfig& config) {
  // What is normalised learns at a pace that its own scale sets; elsewhere small numbers are a good beginning.
  const float limit = config.normalize_embeddings ? 1.0f : 0.1f;
  return parameter(graph, store, "embedding", {config.vocabulary_size, config.embedding_size}, uniform(limit));
}

/// x f32[…, size], rows of `table` f32[vocabulary, size], shifted and scaled to mean 0 and variance 1 under the words'
/// frequencies. Mean and variance are of the whole table and differentiated too.
Value normalized_by_frequency(const BuilderScope& at, Value x, Value table, const std::vector<std::int64_t>& counts) {
  const std::int64_t words = table.dim(0);
  at.check(static_cast<std::int64_t>(counts.size()) == words, "normalized embeddings need the counts of {}, not of {}",
           counted(words, "word"), counts.size());
  const double total = std::accumulate(counts.begin(), counts.end(), 0.0);
  at.check(std::ranges::all_of(counts, [](std::int64_t count) { return count >= 0; }),
           "normalized embeddings need word counts of 0 or more, one is negative");
  at.check(total > 0, "normalized embeddings need word counts, but all of {} are zero", words);
  const Tensor shares(f32, {1, words});
  std::ranges::transform(counts, shares.values<float>().begin(), [total](std::int64_t count) {
    return static_cast<float>(static_cast<double>(count) / total);
  });
  const Value frequency = table.graph().constant(shares);
  const Value mean = matmul(frequency, table);
  const Value variance = matmul(frequency, square(table - mean));
  const Value scale = rsqrt(variance + 1e-6f);
  const Shape row{table.dim(1)};
  return (x - reshape(mean, row)) * reshape(scale, row);
}

struct Softmax {
  Value table, bias;
};

Softmax softmax_parameters(const BuilderScope& at, ParameterStore& store, const TextModelConfig& config) {
  Graph& graph = at.graph();
  const std::int64_t hidden = config.encoder.hidden_size;
  at.check(!config.tied_softmax || config.embedding_size == hidden,
           "a tied softmax needs embedding_size = hidden_size, but they are {} and {}", config.embedding_size, hidden);
  const float limit = 1.0f / std::sqrt(static_cast<float>(hidden));
  const Value table = config.tied_softmax
                          ? embedding_table(graph, store, config)
                          : parameter(graph, store, "softmax/table", {config.vocabulary_size, hidden}, uniform(limit));
  return {table, parameter(graph, store, "softmax/bias", {config.vocabulary_size}, zeros())};
}

AdaptiveSoftmaxConfig adaptive_of(const BuilderScope& at, const TextModelConfig& config) {
  at.check(config.softmax_samples == 0 && !config.tied_softmax,
           "an adaptive softmax is neither sampled nor tied to the embedding");
  return {.vocabulary = config.vocabulary_size, .cutoffs = config.adaptive_cutoffs};
}

}  // namespace

Value embed_tokens(ParameterStore& store, const TextModelConfig& config, Value tokens, Mode mode,
                   SourceLocation where) {
  const BuilderScope at("embed_tokens", "tokens", tokens, where);
  expect_tokens(at, "tokens", tokens, {});
  at.expect_rate("word_dropout", config.word_dropout);
  at.expect_rate("embedding_dropout", config.embedding_dropout);
  Graph& graph = at.graph();
  const NameScope scope(graph, "encoder");
  const bool random = config.word_dropout > 0 || config.embedding_dropout > 0;
  const Value key = mode == Mode::train && random ? random_key(graph, store) : Value();
  Value x = tokens;
  if (tokens.dtype() != f32) {
    at.check(config.vocabulary_size >= 1 && config.embedding_size >= 1, "{} in {} cannot be embedded",
             counted(config.vocabulary_size, "word"), counted(config.embedding_size, "dimension"));
    const Value table = embedding_table(graph, store, config);
    x = embedding(table, tokens);
    if (config.normalize_embeddings) x = normalized_by_frequency(at, x, table, config.word_counts);
  }
  if (key && config.word_dropout > 0) x = dropout(x, config.word_dropout, key, {.broadcast_axes = {2}});
  if (key && config.embedding_dropout > 0) x = dropout(x, config.embedding_dropout, key, {.broadcast_axes = {0}});
  return x;
}

EncodedText encode_embedded(ParameterStore& store, const TextModelConfig& config, Value embedded, Value mask, Mode mode,
                            const StackState& initial, SourceLocation where) {
  const BuilderScope at("encode_embedded", "embedded", embedded, where);
  at.expect("embedded", embedded, f32, {"time", "batch", "embedding_size"});
  if (mask) at.expect("mask", mask, f32, {embedded.dim(0), embedded.dim(1)});
  at.expect_rate("output_dropout", config.output_dropout);
  Graph& graph = at.graph();
  const NameScope scope(graph, "encoder");
  const bool random = config.output_dropout > 0 || config.encoder.dropout > 0;
  const Value key = mode == Mode::train && random ? random_key(graph, store) : Value();
  EncodedText result;
  result.forward = recurrent_stack(store, "encoder", config.encoder, embedded, mask, initial, key);
  if (config.bidirectional) {
    StackConfig reverse = config.encoder;
    reverse.reverse = !reverse.reverse;
    result.reverse = recurrent_stack(store, "encoder_reverse", reverse, embedded, mask, {}, key);
  }
  if (key && config.output_dropout > 0) {
    result.forward.outputs = dropout(result.forward.outputs, config.output_dropout, key);
    if (config.bidirectional) result.reverse.outputs = dropout(result.reverse.outputs, config.output_dropout, key);
  }
  return result;
}

EncodedText encode_tokens(ParameterStore& store, const TextModelConfig& config, Value tokens, Value mask, Mode mode,
                          const StackState& initial, SourceLocation where) {
  const BuilderScope at("encode_tokens", "tokens", tokens, where);
  expect_tokens(at, "tokens", tokens, mask);
  return encode_embedded(store, config, embed_tokens(store, config, tokens, mode), mask, mode, initial);
}

namespace {

void expect_hidden(const BuilderScope& at, const TextModelConfig& config, const Value& hidden) {
  const std::int64_t size = config.encoder.hidden_size;
  at.check(hidden.dtype() == f32 && hidden.rank() >= 1 && hidden.dim(-1) == size, "hidden must be f32[…,{}], not {}",
           size, type_text(hidden));
}

}  // namespace

Value vocabulary_logits(ParameterStore& store, const TextModelConfig& config, Value hidden, SourceLocation where) {
  const BuilderScope at("vocabulary_logits", "hidden", hidden, where);
  expect_hidden(at, config, hidden);
  if (!config.adaptive_cutoffs.empty()) {
    const std::int64_t rows = hidden.shape().product(0, hidden.rank() - 1);
    const Value flat =
        adaptive_log_probabilities(store, "softmax", adaptive_of(at, config), reshape(hidden, {rows, hidden.dim(-1)}));
    return reshape(flat, hidden.shape().removed(-1).appended(config.vocabulary_size));
  }
  const Softmax softmax = softmax_parameters(at, store, config);
  return linear(hidden, softmax.table, softmax.bias, {.transpose_w = true});
}

Value likeliest_token(ParameterStore& store, const TextModelConfig& config, Value hidden, SourceLocation where) {
  const BuilderScope at("likeliest_token", "hidden", hidden, where);
  expect_hidden(at, config, hidden);
  if (!config.adaptive_cutoffs.empty()) return argmax(vocabulary_logits(store, config, hidden));
  const Softmax softmax = softmax_parameters(at, store, config);
  return linear_argmax(hidden, softmax.table, softmax.bias);
}

Value vocabulary_loss(ParameterStore& store, const TextModelConfig& config, Value hidden, Value targets, Value weights,
                      Mode mode, SourceLocation where) {
  const BuilderScope at("vocabulary_loss", "hidden", hidden, where);
  at.expect("hidden", hidden, f32, {"time", "batch", config.encoder.hidden_size});
  at.expect("targets", targets, i32, {hidden.dim(0), hidden.dim(1)});
  at.expect("weights", weights, f32, {hidden.dim(0), hidden.dim(1)});
  at.check(config.softmax_samples >= 0, "softmax_samples is {}, expected 0 or more", config.softmax_samples);
  Graph& graph = at.graph();
  const NameScope scope(graph, "softmax");
  if (!config.adaptive_cutoffs.empty()) {
    const Positions flat = flat_positions(hidden, targets, weights);
    return adaptive_softmax_loss(store, "softmax", adaptive_of(at, config), flat.states, flat.targets, flat.weights);
  }
  const Softmax softmax = softmax_parameters(at, store, config);
  const std::int64_t samples = mode == Mode::train ? config.softmax_samples : 0;
  const Value key = samples > 0 ? random_key(graph, store) : Value();
  return softmax_loss(hidden, softmax.table, softmax.bias, targets, weights, samples, key);
}

}  // namespace eddy
