// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "eddy/models/language_model.h"
#include "eddy/models/sequence_autoencoder.h"
#include "eddy/models/text_classifier.h"
#include "eddy/ops/add.h"
#include "eddy/ops/concat.h"
#include "eddy/ops/linear.h"
#include "eddy/ops/mul.h"
#include "eddy/ops/relu.h"
#include "eddy/ops/slice.h"
#include "tests/models/reference.h"
#include "tests/support/arrays.h"

namespace eddy::test {
namespace {

constexpr std::int64_t kClasses = 3;

TextModelConfig small_config() {
  return {.vocabulary_size = 13,
          .embedding_size = 5,
          .encoder = {.hidden_size = 6},
          .classes = kClasses,
          .end_of_sequence = kEos};
}

Tensor scores_of(ParameterStore& store, const TextModelConfig& config, const std::vector<Ints>& rows,
                 std::int32_t padding = 0, std::size_t time = 0) {
  FedGraph graph;
  const Value scores = text_classifier(store, config, graph.feed(columns(rows, padding, time)),
                                       graph.feed(mask_of(rows, time)), Mode::infer);
  randomize(store);
  return graph.run({scores})[0];
}

/// Scores of row b of a batch.
Tensor row_of(const Tensor& scores, std::size_t b) {
  return scores.view_at(b * kClasses * sizeof(float), {f32, {1, kClasses}});
}

/// Scores f32[1, classes] of one row by hand; LSTMs only.
Value reference_scores(FedGraph& graph, const ParameterStore& store, const TextModelConfig& config, Ints row) {
  const auto last_state = [&](const std::string& stack) {
    return slice(reference_outputs(graph, store, stack, config.encoder.layers, row), 0, -1);
  };
  Value features = last_state("encoder");
  if (config.bidirectional) {
    std::reverse(row.begin(), row.end());
    features = concat({features, last_state("encoder_reverse")}, 1);
  }
  if (config.classifier_hidden_size > 0)
    features = relu(
        linear(features, weight(graph, store, "classifier/hidden/w"), weight(graph, store, "classifier/hidden/b")));
  return linear(features, weight(graph, store, "classifier/output/w"), weight(graph, store, "classifier/output/b"));
}

TEST_CASE("scores come from each row's own final state, whatever the padding") {
  const std::vector<Ints> rows = with_eos(random_rows({5, 0, 8, 3}, 13, 1));
  TextModelConfig config = small_config();
  SUBCASE("one layer") {}
  SUBCASE("two layers") { config.encoder.layers = 2; }
  SUBCASE("bidirectional") { config.bidirectional = true; }
  SUBCASE("hidden relu layer") { config.classifier_hidden_size = 7; }
  SUBCASE("GRU") { config.encoder.cell = CellKind::gru; }
  SUBCASE("all together, with dropout that inference ignores") {
    config.encoder.layers = 2;
    config.bidirectional = true;
    config.classifier_hidden_size = 7;
    config.word_dropout = config.embedding_dropout = config.output_dropout = 0.5F;
    config.encoder.dropout = config.classifier_dropout = 0.5F;
  }
  SUBCASE("two bidirectional layers of GRUs") {
    config.encoder = {.cell = CellKind::gru, .hidden_size = 6, .layers = 2};
    config.bidirectional = true;
  }
  ParameterStore store;
  const Tensor batch = scores_of(store, config, rows);
  const Tensor padded[] = {scores_of(store, config, rows, 9, 15)};
  CHECK(difference(padded, std::span(&batch, 1), 1e-6) == "");
  for (std::size_t b = 0; b < rows.size(); ++b) {
    CAPTURE(b);
    const Tensor in_batch = row_of(batch, b);
    const Tensor alone = scores_of(store, config, {rows[b]});
    CHECK(difference(std::span(&in_batch, 1), std::span(&alone, 1), 1e-6) == "");
    if (config.encoder.cell == CellKind::gru) continue;
    FedGraph graph;
    CHECK(difference(std::span(&in_batch, 1), graph.run({reference_scores(graph, store, config, rows[b])}), 2e-6) ==
          "");
  }
}

TEST_CASE("label gain weighs the loss of each step by how far the text has been read") {
  const std::vector<Ints> rows = random_rows({5, 1, 8, 2}, 13, 2);
  const Ints labels{2, 0, 1, 1};
  TextModelConfig config = small_config();
  config.classifier_hidden_size = 7;
  std::vector<Floats> weights;
  for (std::size_t b = 0; b < rows.size(); ++b) weights.push_back(label_gain_sequence(rows[b], labels[b]).weights);
  ParameterStore store;
  FedGraph graph;
  const Value loss =
      label_gain_loss(store, config, graph.feed(columns(rows, 0)), graph.feed(mask_of(rows)),
                      graph.feed(Tensor::from(labels, {4})), graph.feed(columns(weights, 0.0F)), Mode::infer);
  randomize(store);

  double total = 0;
  double weight_sum = 0;
  for (std::size_t b = 0; b < rows.size(); ++b) {
    const std::size_t n = rows[b].size();
    for (std::size_t t = 0; t < n; ++t) {
      // What has been read at step t is the text's first t + 1 words.
      const auto end = rows[b].begin() + static_cast<std::ptrdiff_t>(t) + 1;
      const std::vector<double> scores = to_doubles(scores_of(store, config, {Ints(rows[b].begin(), end)}));
      double sum = 0;
      for (const double score : scores) sum += std::exp(score);
      const double step_weight = n == 1 ? 1 : static_cast<double>(t) / static_cast<double>(n - 1);
      total += step_weight * (std::log(sum) - scores[static_cast<std::size_t>(labels[b])]);
      weight_sum += step_weight;
    }
  }
  CHECK(graph.run({loss})[0].item() == doctest::Approx(total / weight_sum).epsilon(1e-5));
}

/// The loss of a batch of which some rows have no label.
struct Labelled {
  std::vector<Ints> rows;
  Ints labels;
  Floats weights;
};

Evaluation supervised(ParameterStore& store, const TextModelConfig& config, const Labelled& batch) {
  FedGraph graph;
  const auto size = static_cast<std::int64_t>(batch.rows.size());
  const Value loss = classifier_loss(store, config, graph.feed(columns(batch.rows, 0)), graph.feed(mask_of(batch.rows)),
                                     graph.feed(Tensor::from(batch.labels, {size})),
                                     graph.feed(Tensor::from(batch.weights, {size})), Mode::infer);
  randomize(store);
  return evaluate(graph, store, loss);
}

TEST_CASE("rows without label do not reach the classifier's loss") {
  const std::vector<Ints> rows = with_eos(random_rows({5, 9, 2, 4}, 13, 3));
  const TextModelConfig config = small_config();
  ParameterStore store;
  const Evaluation expected = supervised(store, config, {{rows[0], rows[2]}, {2, 1}, {1, 1}});
  CHECK(expected.loss > 0.1);
  CHECK(difference(supervised(store, config, {rows, {2, 0, 1, 0}, {1, 0, 1, 0}}), expected) == "");
  CHECK(difference(supervised(store, config, {rows, {2, -1, 1, -1}, {1, 0, 1, 0}}), expected) == "");
  const std::vector<Ints> other{rows[0], {4, 4, 4}, rows[2], {7}};
  CHECK(difference(supervised(store, config, {other, {2, 1, 1, 2}, {1, 0, 1, 0}}), expected) == "");

  const Evaluation none = supervised(store, config, {rows, {-1, -1, -1, -1}, {0, 0, 0, 0}});
  CHECK(none.loss == 0);
  for (const Tensor& gradient : none.gradients)
    for (const float value : gradient.values<const float>()) REQUIRE(value == 0);
}

TEST_CASE("the joint loss is the classifier's plus the weighted unsupervised one") {
  const std::vector<Ints> rows = with_eos(random_rows({5, 3, 7}, 13, 4));
  TextModelConfig config = small_config();
  config.encoder.layers = 2;
  UnsupervisedTask task = UnsupervisedTask::language_model;
  SUBCASE("language model") {}
  SUBCASE("autoencoder") { task = UnsupervisedTask::autoencoder; }
  ParameterStore store;
  FedGraph graph;
  const Value tokens = graph.feed(columns(rows, 0));
  const Value mask = graph.feed(mask_of(rows));
  const Value labels = graph.feed(Tensor::from(Ints{2, 0, 1}, {3}));
  const Value weights = graph.feed(Tensor::from(Floats{1, 0, 1}, {3}));
  const Value joint = joint_loss(store, config, tokens, mask, labels, weights, task, 0.25F, Mode::infer);
  const Value classifier = classifier_loss(store, config, tokens, mask, labels, weights, Mode::infer);
  Value unsupervised;
  if (task == UnsupervisedTask::language_model) {
    const NextTokenTargets next = next_token_targets(config, tokens, mask);
    unsupervised = language_model(store, config, tokens, mask, next.targets, next.weights, Mode::infer).loss;
  } else {
    unsupervised = sequence_autoencoder(store, config, tokens, mask, Mode::infer);
  }
  randomize(store);
  const Evaluation expected = evaluate(graph, store, classifier + unsupervised * 0.25F);
  CHECK(difference(evaluate(graph, store, joint), expected) == "");
  CHECK(std::abs(expected.loss - graph.run({classifier})[0].item()) > 0.1);
}

TEST_CASE("a perturbed text has the dropout of the text, and norms count what embeddings are without it") {
  TextModelConfig config = small_config();
  config.embedding_dropout = config.output_dropout = config.classifier_dropout = 0.5F;
  config.pooling = Pooling::concat;
  for (const Perturbation kind : {Perturbation::random, Perturbation::adversarial, Perturbation::virtual_adversarial}) {
    const auto loss = [&](float weight) {
      ParameterStore store(4);
      FedGraph graph;
      const std::vector<Ints> rows = random_rows({7, 3, 5, 6}, config.vocabulary_size, 5);
      const Value total = classifier_loss(store, config, graph.feed(columns(rows, 0)), graph.feed(mask_of(rows)),
                                          graph.feed(Tensor::from(Ints{0, 1, 1, 0}, {4})),
                                          graph.feed(Tensor::from(Floats{1, 1, 1, 1}, {4})), Mode::train,
                                          {.kind = kind, .norm = 1e-6F, .weight = weight});
      randomize(store);
      return static_cast<double>(graph.run({total})[0].item());
    };
    // The loss of labels comes once more; the divergence from the text itself is none.
    const double copies = kind == Perturbation::virtual_adversarial ? 1 : 2;
    CHECK(loss(1) == doctest::Approx(copies * loss(0)).epsilon(1e-4));
  }
}

TEST_CASE("wrong classifiers are refused with their numbers") {
  ParameterStore store;
  FedGraph graph;
  const Value tokens = graph.feed(Tensor(i32, {3, 2}));
  const Value mask = graph.feed(Tensor(f32, {3, 2}));
  const Value labels = graph.feed(Tensor(i32, {2}));
  TextModelConfig config = small_config();
  SUBCASE("one class") {
    config.classes = 1;
    CHECK_THROWS_WITH_AS(text_classifier(store, config, tokens, mask, Mode::infer),
                         doctest::Contains("at least two classes, not 1"), GraphError);
  }
  SUBCASE("label gain in two directions") {
    config.bidirectional = true;
    CHECK_THROWS_WITH_AS(label_gain_loss(store, config, tokens, mask, labels, mask, Mode::infer),
                         doctest::Contains("one direction, but the config asks for two"), GraphError);
  }
  SUBCASE("label gain of a mean of states") {
    config.pooling = Pooling::mean;
    CHECK_THROWS_WITH_AS(label_gain_loss(store, config, tokens, mask, labels, mask, Mode::infer),
                         doctest::Contains("pooling must be the last state"), GraphError);
  }
  SUBCASE("words that were counted less than never") {
    config.normalize_embeddings = true;
    config.word_counts.assign(static_cast<std::size_t>(config.vocabulary_size), 3);
    config.word_counts.back() = -1;
    CHECK_THROWS_WITH_AS(text_classifier(store, config, tokens, mask, Mode::infer),
                         doctest::Contains("one is negative"), GraphError);
  }
  SUBCASE("a joint autoencoder in two directions") {
    config.bidirectional = true;
    const Value row_weights = graph.feed(Tensor(f32, {2}));
    CHECK_THROWS_AS(
        joint_loss(store, config, tokens, mask, labels, row_weights, UnsupervisedTask::autoencoder, 1, Mode::infer),
        GraphError);
  }
}

}  // namespace
}  // namespace eddy::test
