// SPDX-License-Identifier: Apache-2.0
// What all models have in common: gradients for every parameter, shared parameters, dropout, and that training works.
#include <doctest/doctest.h>

#include <cmath>
#include <set>

#include "eddy/models/language_model.h"
#include "eddy/models/pooled_autoencoder.h"
#include "eddy/models/sequence_autoencoder.h"
#include "eddy/models/text_classifier.h"
#include "eddy/optimizers/minimize.h"
#include "tests/models/model_runs.h"

namespace eddy::test {
namespace {

constexpr std::int64_t kVocabulary = 23;
constexpr std::int64_t kHidden = 6;

/// Everything random that training can turn on.
TextModelConfig noisy_config() {
  return {.vocabulary_size = kVocabulary,
          .embedding_size = 5,
          .encoder = {.hidden_size = kHidden, .layers = 2, .dropout = 0.2F},
          .word_dropout = 0.2F,
          .embedding_dropout = 0.2F,
          .output_dropout = 0.2F,
          .softmax_samples = 8,
          .classes = 3,
          .classifier_hidden_size = 7,
          .classifier_dropout = 0.2F,
          .end_of_sequence = kEos};
}

enum class Model {
  language_model,
  autoencoder,
  pooled_autoencoder,
  classifier,
  label_gain,
  joint_language_model,
  joint_autoencoder
};

Value build(FedGraph& graph, ParameterStore& store, const TextModelConfig& config, Model model, Mode mode) {
  const std::vector<Ints> rows = with_eos(random_rows({9, 4, 12, 7}, config.vocabulary_size, 5));
  const Value tokens = graph.feed(columns(rows, 0));
  const Value mask = graph.feed(mask_of(rows));
  const Value labels = graph.feed(Tensor::from(Ints{0, 1, 2, 1}, {4}));
  const Value row_weights = graph.feed(Tensor::from(Floats{1, 1, 1, 0}, {4}));
  const NextTokenTargets next = next_token_targets(config, tokens, mask);
  switch (model) {
    case Model::language_model:
      return language_model(store, config, tokens, mask, next.targets, next.weights, mode).loss;
    case Model::autoencoder:
      return sequence_autoencoder(store, config, tokens, mask, mode);
    case Model::pooled_autoencoder:
      return pooled_autoencoder(store, config, tokens, mask, mode);
    case Model::classifier:
      return classifier_loss(store, config, tokens, mask, labels, row_weights, mode);
    case Model::label_gain:
      return label_gain_loss(store, config, tokens, mask, labels, mask, mode);
    case Model::joint_language_model:
      return joint_loss(store, config, tokens, mask, labels, row_weights, UnsupervisedTask::language_model, 1, mode);
    case Model::joint_autoencoder:
      return joint_loss(store, config, tokens, mask, labels, row_weights, UnsupervisedTask::autoencoder, 1, mode);
  }
  return {};
}

struct Variant {
  const char* name;
  Model model;
  bool bidirectional = false;
  bool tied = false;
};
constexpr Variant kVariants[] = {
    {"language model", Model::language_model},
    {"tied language model", Model::language_model, false, true},
    {"bidirectional language model", Model::language_model, true},
    {"autoencoder", Model::autoencoder},
    {"tied autoencoder", Model::autoencoder, false, true},
    {"pooled autoencoder", Model::pooled_autoencoder},
    {"tied pooled autoencoder", Model::pooled_autoencoder, false, true},
    {"classifier", Model::classifier},
    {"bidirectional classifier", Model::classifier, true},
    {"label gain", Model::label_gain},
    {"joint language model", Model::joint_language_model},
    {"bidirectional joint language model", Model::joint_language_model, true},
    {"joint autoencoder", Model::joint_autoencoder},
};

TextModelConfig config_of(const Variant& variant) {
  TextModelConfig config = noisy_config();
  config.bidirectional = variant.bidirectional;
  config.tied_softmax = variant.tied;
  if (variant.tied) config.embedding_size = kHidden;
  return config;
}

TEST_CASE("every parameter of every model gets a gradient, and inference makes no others") {
  for (const CellKind cell : {CellKind::lstm, CellKind::gru}) {
    for (const Variant& variant : kVariants) {
      CAPTURE(variant.name);
      CAPTURE((cell == CellKind::lstm));
      TextModelConfig config = config_of(variant);
      config.encoder.cell = cell;
      ParameterStore store(3);
      FedGraph training;
      const Value loss = build(training, store, config, variant.model, Mode::train);
      randomize(store);
      const Evaluation got = evaluate(training, store, loss);
      CHECK(std::isfinite(got.loss));
      for (std::size_t i = 0; i < got.names.size(); ++i) {
        CAPTURE(got.names[i]);
        double norm = 0;
        for (const float value : got.gradients[i].values<const float>()) norm += std::abs(value);
        CHECK(std::isfinite(norm));
        CHECK(norm > 0);
      }

      const std::int64_t count = store.parameter_count();
      FedGraph inference;
      build(inference, store, config, variant.model, Mode::infer);
      CHECK(trainable_names(store) == got.names);
      CHECK(store.parameter_count() == count);
      CHECK(inference.graph.variables().size() == got.names.size());
    }
  }
}

TEST_CASE("the parameters are those documented, and the classifier takes over the language model's encoder") {
  TextModelConfig config = noisy_config();
  ParameterStore store;
  FedGraph graph;
  build(graph, store, config, Model::language_model, Mode::train);
  const std::vector<std::string> encoder{"embedding",     "encoder0/bias", "encoder0/w_h", "encoder0/w_x",
                                         "encoder1/bias", "encoder1/w_h",  "encoder1/w_x"};
  std::vector<std::string> expected = encoder;
  expected.insert(expected.end(), {"softmax/bias", "softmax/table"});
  CHECK(trainable_names(store) == expected);
  CHECK(store.parameter_count() == 23 * 5 + (5 + 6 + 1) * 24 + (6 + 6 + 1) * 24 + 23 * 6 + 23);

  build(graph, store, config, Model::classifier, Mode::train);
  const std::vector<std::string> names = trainable_names(store);
  const std::set<std::string> all(names.begin(), names.end());
  expected.insert(expected.end(),
                  {"classifier/hidden/b", "classifier/hidden/w", "classifier/output/b", "classifier/output/w"});
  CHECK(all == std::set<std::string>(expected.begin(), expected.end()));

  SUBCASE("a tied softmax has no table of its own") {
    config = config_of({"", Model::language_model, false, true});
    ParameterStore tied;
    build(graph, tied, config, Model::language_model, Mode::train);
    CHECK(tied.find("softmax/table") == nullptr);
    CHECK(tied.find("softmax/bias") != nullptr);
  }
  SUBCASE("a second direction has weights of its own, as many") {
    config.bidirectional = true;
    ParameterStore both;
    build(graph, both, config, Model::language_model, Mode::train);
    CHECK(both.parameter_count() == 23 * 5 + 2 * ((5 + 6 + 1) * 24 + (6 + 6 + 1) * 24) + 23 * 6 + 23);
    CHECK(both.find("encoder_reverse1/w_h") != nullptr);
  }
}

/// Losses of steps that change no parameter.
std::vector<float> losses_of_steps(const TextModelConfig& config, Model model, Mode mode) {
  ParameterStore store(4);
  FedGraph graph;
  const Value loss = build(graph, store, config, model, mode);
  randomize(store);
  Program program = compile(graph.graph, {loss, minimize(loss, store, sgd({.learning_rate = 0}))});
  const std::vector<Binding> bindings = graph.bindings();
  std::vector<float> losses;
  for (int step = 0; step < 3; ++step) losses.push_back(program.run(bindings)[0].item());
  return losses;
}

TEST_CASE("each training step draws other dropout, inference draws none") {
  const auto check = [](const TextModelConfig& config, Model model) {
    const std::vector<float> training = losses_of_steps(config, model, Mode::train);
    CHECK(std::set<float>(training.begin(), training.end()).size() == 3);
    CHECK(losses_of_steps(config, model, Mode::train) == training);
    const std::vector<float> inference = losses_of_steps(config, model, Mode::infer);
    CHECK(std::set<float>(inference.begin(), inference.end()).size() == 1);
  };
  for (const Variant& variant : kVariants) {
    CAPTURE(variant.name);
    check(config_of(variant), variant.model);
  }
  // Each kind of noise works by itself.
  TextModelConfig plain = noisy_config();
  plain.word_dropout = plain.embedding_dropout = plain.output_dropout = plain.encoder.dropout = 0;
  plain.classifier_dropout = 0;
  plain.softmax_samples = 0;
  float TextModelConfig::*const rates[] = {&TextModelConfig::word_dropout, &TextModelConfig::embedding_dropout,
                                           &TextModelConfig::output_dropout};
  for (const auto rate : rates) {
    TextModelConfig config = plain;
    config.*rate = 0.3F;
    check(config, Model::language_model);
    check(config, Model::classifier);
  }
  TextModelConfig config = plain;
  config.encoder.dropout = 0.3F;
  check(config, Model::autoencoder);
  config = plain;
  config.classifier_dropout = 0.3F;
  check(config, Model::classifier);
  check(config, Model::pooled_autoencoder);
  config = plain;
  config.softmax_samples = 4;
  check(config, Model::language_model);

  const std::vector<float> silent = losses_of_steps(plain, Model::joint_autoencoder, Mode::train);
  CHECK(silent == losses_of_steps(plain, Model::joint_autoencoder, Mode::infer));
}

TEST_CASE("a language model trained by sampled softmax learns a toy language under the full softmax") {
  // Each word has one successor, so that only the first words of a text are uncertain.
  constexpr std::int64_t kWords = 40;
  std::vector<Ints> rows = random_rows({12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12}, kWords, 6);
  for (Ints& row : rows)
    for (std::size_t t = 1; t < row.size(); ++t) row[t] = 2 + (row[t - 1] * 7 + 5) % (static_cast<int>(kWords) - 2);
  const TextModelConfig config{.vocabulary_size = kWords,
                               .embedding_size = 16,
                               .encoder = {.hidden_size = 24},
                               .softmax_samples = 10,
                               .end_of_sequence = kEos};
  ParameterStore store(5);
  const auto build_language_model = [&](FedGraph& graph, Mode mode) {
    const Value tokens = graph.feed(columns(rows, 0));
    const Value mask = graph.feed(mask_of(rows));
    const NextTokenTargets next = next_token_targets(config, tokens, mask);
    return language_model(store, config, tokens, mask, next.targets, next.weights, mode).loss;
  };
  FedGraph training;
  const Value loss = build_language_model(training, Mode::train);
  Program step = compile(training.graph, {minimize(loss, store, adam({.learning_rate = 0.02, .clip_norm = 5}))});
  FedGraph inference;
  const Value full_loss = build_language_model(inference, Mode::infer);

  const double uniform = std::log(static_cast<double>(kWords));
  CHECK(inference.run({full_loss})[0].item() > 0.9 * uniform);
  const std::vector<Binding> bindings = training.bindings();
  for (int i = 0; i < 150; ++i) step.run(bindings);
  CHECK(inference.run({full_loss})[0].item() < 0.2 * uniform);
}

}  // namespace
}  // namespace eddy::test
