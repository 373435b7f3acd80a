// SPDX-License-Identifier: Apache-2.0
// The pooled autoencoder against its equations, row by row.
#include <doctest/doctest.h>

#include "eddy/models/pooled_autoencoder.h"
#include "eddy/models/text_classifier.h"
#include "eddy/ops/add.h"
#include "eddy/ops/concat.h"
#include "eddy/ops/cross_entropy.h"
#include "eddy/ops/linear.h"
#include "eddy/ops/max.h"
#include "eddy/ops/mean.h"
#include "eddy/ops/mul.h"
#include "eddy/ops/relu.h"
#include "eddy/ops/slice.h"
#include "tests/models/reference.h"

namespace eddy::test {
namespace {

TextModelConfig small_config() {
  return {.vocabulary_size = 13, .embedding_size = 5, .encoder = {.hidden_size = 6}, .end_of_sequence = kEos};
}

Evaluation evaluate_rows(ParameterStore& store, const TextModelConfig& config, const std::vector<Ints>& rows,
                         std::int32_t padding = 0, std::size_t time = 0) {
  return evaluate_documents(pooled_autoencoder, store, config, with_eos(rows), padding, time);
}

/// What a classifier sees of the states f32[time, hidden] of one text, as f32[1, features].
Value reference_features(FedGraph& graph, const ParameterStore& store, const TextModelConfig& config, Value states) {
  std::vector<Value> parts;
  if (config.pooling != Pooling::mean) parts.push_back(slice(states, 0, states.dim(0) - 1));
  if (config.pooling != Pooling::last) parts.push_back(mean(states, {0}, /*keep_dims=*/true));
  if (config.pooling == Pooling::concat) parts.push_back(max(states, {0}, /*keep_dims=*/true));
  const Value features = parts.size() == 1 ? parts[0] : concat(parts, 1);
  if (config.classifier_hidden_size == 0) return features;
  return relu(
      linear(features, weight(graph, store, "classifier/hidden/w"), weight(graph, store, "classifier/hidden/b")));
}

/// The sum over the words of `document`: each is predicted from the state before it, the first from zeros, plus the
/// same linear function of the features.
Value reference_row(FedGraph& graph, const ParameterStore& store, const TextModelConfig& config, const Ints& document) {
  const auto time = static_cast<std::int64_t>(document.size());
  const Value states = reference_outputs(graph, store, "encoder", config.encoder.layers, document);
  const Value features = reference_features(graph, store, config, states);
  const Value context = linear(features, weight(graph, store, "context/w"), weight(graph, store, "context/b"));
  const Value first = graph.feed(Tensor(f32, {1, config.encoder.hidden_size}));
  const Value before = time > 1 ? concat({first, slice(states, 0, 0, time - 1)}, 0) : first;
  const Value table = weight(graph, store, config.tied_softmax ? "embedding" : "softmax/table");
  const Value logits = linear(before + context, table, weight(graph, store, "softmax/bias"), {.transpose_w = true});
  return cross_entropy(logits, graph.feed(Tensor::from(document, {time})), {.reduction = Reduction::sum});
}

void check_against_equations(const TextModelConfig& config, const std::vector<Ints>& rows) {
  ParameterStore store;
  const Evaluation got = evaluate_rows(store, config, rows);
  FedGraph graph;
  Value total;
  std::size_t tokens = 0;
  for (const Ints& document : with_eos(rows)) {
    const Value loss = reference_row(graph, store, config, document);
    total = total ? total + loss : loss;
    tokens += document.size();
  }
  CHECK(difference(got, evaluate(graph, store, total * (1 / static_cast<float>(tokens)))) == "");
}

TEST_CASE("each token is predicted from the state before it and from the features of the text") {
  const std::vector<Ints> rows = random_rows({4, 1, 7, 0, 2}, 13, 1);
  TextModelConfig config = small_config();
  SUBCASE("last state") {}
  SUBCASE("mean") { config.pooling = Pooling::mean; }
  SUBCASE("last state and mean") { config.pooling = Pooling::last_mean; }
  SUBCASE("last state, mean and maximum") { config.pooling = Pooling::concat; }
  SUBCASE("a layer before the classes") {
    config.pooling = Pooling::concat;
    config.classifier_hidden_size = 7;
  }
  SUBCASE("two layers, tied softmax") {
    config.encoder.layers = 2;
    config.embedding_size = 6;
    config.tied_softmax = true;
  }
  SUBCASE("dropout and sampling are off while inferring") {
    config.word_dropout = config.embedding_dropout = config.output_dropout = config.encoder.dropout = 0.5F;
    config.classifier_dropout = 0.5F;
    config.softmax_samples = 3;
  }
  check_against_equations(config, rows);
}

TEST_CASE("neither the amount nor the ids of the padding reach the pooled autoencoder") {
  TextModelConfig config = small_config();
  config.pooling = Pooling::concat;
  const std::vector<Ints> rows = random_rows({3, 6}, 13, 2);
  ParameterStore store;
  const Evaluation expected = evaluate_rows(store, config, rows);
  CHECK(difference(evaluate_rows(store, config, rows, 9, 12), expected) == "");
  CHECK(difference(evaluate_rows(store, config, rows, -1, 8), expected) == "");
}

TEST_CASE("a classifier begins with the layer that the pooled autoencoder made features with") {
  TextModelConfig config = small_config();
  config.classes = 3;
  config.pooling = Pooling::concat;
  config.classifier_hidden_size = 7;
  ParameterStore store;
  FedGraph graph;
  const std::vector<Ints> documents = with_eos(random_rows({3, 6}, 13, 3));
  const Value tokens = graph.feed(columns(documents, 0)), mask = graph.feed(mask_of(documents));
  pooled_autoencoder(store, config, tokens, mask, Mode::train);
  const std::size_t before = store.all().size();
  text_classifier(store, config, tokens, mask, Mode::infer);
  CHECK(store.all().size() == before + 2);  // its classes alone
}

TEST_CASE("a pooled autoencoder of two directions, or one that reads backwards, is refused") {
  ParameterStore store;
  TextModelConfig config = small_config();
  FedGraph graph;
  const Value tokens = graph.feed(Tensor(i32, {3, 2})), mask = graph.feed(Tensor(f32, {3, 2}));
  CHECK_THROWS_WITH_AS(pooled_autoencoder(store, config, tokens, graph.feed(Tensor(f32, {2, 2})), Mode::infer),
                       doctest::Contains("mask must be f32[3,2]"), GraphError);
  config.encoder.reverse = true;
  CHECK_THROWS_WITH_AS(pooled_autoencoder(store, config, tokens, mask, Mode::infer),
                       doctest::Contains("reads backwards"), GraphError);
  config.bidirectional = true;
  CHECK_THROWS_WITH_AS(pooled_autoencoder(store, config, tokens, mask, Mode::infer),
                       doctest::Contains("one direction, but the config asks for two"), GraphError);
}

}  // namespace
}  // namespace eddy::test
