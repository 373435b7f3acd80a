// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <cmath>

#include "eddy/core/random.h"
#include "eddy/graph/gradient.h"
#include "eddy/graph/program.h"
#include "eddy/models/adaptive_softmax.h"
#include "eddy/models/language_model.h"
#include "eddy/ops/cross_entropy.h"
#include "eddy/ops/linear.h"
#include "eddy/ops/linear_cross_entropy.h"
#include "eddy/optimizers/minimize.h"
#include "tests/support/largest.h"

namespace eddy::test {
namespace {

constexpr std::int64_t kRows = 6, kHidden = 8, kWords = 20;
const AdaptiveSoftmaxConfig kConfig{.vocabulary = kWords, .cutoffs = {4, 9}, .divisor = 2};

Tensor random_tensor(const Shape& shape, std::uint64_t seed) {
  Philox random(seed);
  const Tensor tensor(f32, shape);
  for (float& value : tensor.values<float>()) value = uniform_float(random, -1, 1);
  return tensor;
}

Tensor targets() { return Tensor::from<std::int32_t>({0, 3, 4, 19, -1, 8}, {kRows}); }
Tensor weights() { return Tensor::from<float>({1, 0.5F, 2, 1, 1, 0}, {kRows}); }

/// A softmax by hand: logits of `classes` from x[width] and the weights named `part`.
std::vector<double> log_softmax_by_hand(const ParameterStore& store, const std::string& part,
                                        const std::vector<double>& x) {
  const auto table = store.find(part + "/table")->value, bias = store.find(part + "/bias")->value;
  std::vector<double> out;
  double sum = 0;
  for (std::int64_t c = 0; c < table.shape()[0]; ++c) {
    double logit = static_cast<double>(bias.values<float>()[static_cast<std::size_t>(c)]);
    for (std::size_t j = 0; j < x.size(); ++j)
      logit += static_cast<double>(table.values<float>()[static_cast<std::size_t>(c) * x.size() + j]) * x[j];
    out.push_back(logit);
    sum += std::exp(logit);
  }
  for (double& value : out) value -= std::log(sum);
  return out;
}

/// Log-probabilities of all words for one row, from the definition.
std::vector<double> by_hand(const ParameterStore& store, std::span<const float> hidden) {
  const std::vector<double> x(hidden.begin(), hidden.end());
  const std::vector<double> head = log_softmax_by_hand(store, "softmax/head", x);
  std::vector<double> words(head.begin(), head.begin() + 4);
  for (int tail = 0; tail < 2; ++tail) {
    const std::string part = "softmax/tail" + std::to_string(tail);
    const Tensor projection = store.find(part + "/projection")->value;
    const auto width = static_cast<std::size_t>(projection.shape()[1]);
    CHECK(width == (tail == 0 ? 4U : 2U));
    std::vector<double> projected(width, 0.0);
    for (std::size_t i = 0; i < x.size(); ++i)
      for (std::size_t j = 0; j < width; ++j)
        projected[j] += x[i] * static_cast<double>(projection.values<float>()[i * width + j]);
    for (const double value : log_softmax_by_hand(store, part, projected))
      words.push_back(value + head[4 + static_cast<std::size_t>(tail)]);
  }
  return words;
}

TEST_CASE("an adaptive softmax is the distribution its definition says") {
  ParameterStore store(5);
  Graph graph;
  const Value hidden = graph.input("hidden", f32, {kRows, kHidden});
  const Value loss = adaptive_softmax_loss(store, "softmax", kConfig, hidden, graph.input("targets", i32, {kRows}),
                                           graph.input("weights", f32, {kRows}));
  Program program = compile(graph, {loss, adaptive_log_probabilities(store, "softmax", kConfig, hidden)});
  const Tensor x = random_tensor({kRows, kHidden}, 1);
  const auto results = program.run({{"hidden", x}, {"targets", targets()}, {"weights", weights()}});
  double total = 0, weight = 0;
  for (std::size_t row = 0; row < kRows; ++row) {
    const std::vector<double> words = by_hand(store, x.values<float>().subspan(row * kHidden, kHidden));
    REQUIRE(words.size() == kWords);
    double mass = 0;
    for (std::size_t word = 0; word < kWords; ++word) {
      mass += std::exp(words[word]);
      CHECK(static_cast<double>(results[1].values<const float>()[row * kWords + word]) ==
            doctest::Approx(words[word]).epsilon(1e-5));
    }
    CHECK(mass == doctest::Approx(1.0));
    const std::int32_t target = targets().values<std::int32_t>()[row];
    if (target < 0) continue;
    const auto share = static_cast<double>(weights().values<float>()[row]);
    total -= share * words[static_cast<std::size_t>(target)];
    weight += share;
  }
  CHECK(static_cast<double>(results[0].item()) == doctest::Approx(total / weight).epsilon(1e-5));
}

TEST_CASE("its gradients are those of the loss") {
  ParameterStore store(5);
  Graph graph;
  const Value hidden = graph.input("hidden", f32, {kRows, kHidden});
  const Value loss =
      adaptive_softmax_loss(store, "softmax", kConfig, hidden, graph.constant(targets()), graph.constant(weights()));
  std::vector<Value> wrt{hidden};
  std::vector<Tensor> points{random_tensor({kRows, kHidden}, 2)};
  for (const std::shared_ptr<Variable>& variable : store.all()) {
    wrt.push_back(graph.variable(variable));
    points.push_back(variable->value);
  }
  std::vector<Value> results = dense_gradients(loss, wrt);
  results.push_back(loss);
  Program program = compile(graph, results);
  const auto run = [&] { return program.run({{"hidden", points[0]}}); };
  for (std::size_t i = 0; i < points.size(); ++i) {
    CAPTURE(i);
    const Tensor direction = random_tensor(points[i].shape(), 100 + i);
    const Tensor start = points[i].clone();
    double slope = 0;
    const Tensor gradient = run()[i].clone();
    for (std::size_t j = 0; j < static_cast<std::size_t>(start.elements()); ++j)
      slope += static_cast<double>(gradient.values<float>()[j]) * static_cast<double>(direction.values<float>()[j]);
    const auto loss_at = [&](float distance) {
      for (std::size_t j = 0; j < static_cast<std::size_t>(start.elements()); ++j)
        points[i].values<float>()[j] = start.values<float>()[j] + distance * direction.values<float>()[j];
      return static_cast<double>(run().back().item());
    };
    constexpr float kStep = 1.0F / 128;
    const double measured = (loss_at(kStep) - loss_at(-kStep)) / (2 * static_cast<double>(kStep));
    points[i].copy_from(start);
    CHECK(slope == doctest::Approx(measured).epsilon(0.01));
  }
}

TEST_CASE("the fused product and loss does what the two do, at sizes that take several stretches of rows") {
  constexpr std::int64_t kMany = 2500, kClasses = 40, kSize = 5;
  Graph graph;
  const Value hidden = graph.input("hidden", f32, {kMany, kSize}), table = graph.input("table", f32, {kClasses, kSize}),
              bias = graph.input("bias", f32, {kClasses}), target = graph.input("targets", i32, {kMany}),
              weight = graph.input("weights", f32, {kMany});
  const std::vector<Value> wrt{hidden, table, bias};
  const Value fused = linear_cross_entropy(hidden, table, bias, target, weight);
  const Value plain = cross_entropy(linear(hidden, table, bias, {.transpose_w = true}), target,
                                    {.weights = weight, .reduction = Reduction::sum});
  std::vector<Value> results{fused, plain};
  for (const Value& value : dense_gradients(fused, wrt)) results.push_back(value);
  for (const Value& value : dense_gradients(plain, wrt)) results.push_back(value);
  Program program = compile(graph, results);
  const Tensor targets(i32, {kMany});
  Philox random(3);
  for (std::int32_t& id : targets.values<std::int32_t>())
    id = static_cast<std::int32_t>(uniform_index(random, kClasses + 8)) - 8;
  const auto got = program.run({{"hidden", random_tensor({kMany, kSize}, 4)},
                                {"table", random_tensor({kClasses, kSize}, 5)},
                                {"bias", random_tensor({kClasses}, 6)},
                                {"targets", targets},
                                {"weights", random_tensor({kMany}, 7)}});
  CHECK(static_cast<double>(got[0].item()) == doctest::Approx(static_cast<double>(got[1].item())).epsilon(1e-5));
  for (std::size_t i = 0; i < 3; ++i) {
    CAPTURE(i);
    CHECK(relative_difference(got[2 + i], got[5 + i]) <= 2e-6);
  }
}

TEST_CASE("a language model trains and is measured with an adaptive softmax") {
  const TextModelConfig config{
      .vocabulary_size = 30, .embedding_size = 8, .encoder = {.hidden_size = 16}, .adaptive_cutoffs = {5, 12}};
  ParameterStore store(2);
  const auto loss_in = [&](Graph& graph, Mode mode) {
    const Value tokens = graph.input("tokens", i32, {6, 4});
    const Value ones = graph.constant(Tensor::from(std::vector<float>(24, 1.0F), {6, 4}));
    const NextTokenTargets next = next_token_targets(config, tokens, ones);
    return language_model(store, config, tokens, ones, next.targets, next.weights, mode).loss;
  };
  Graph graph, plain;
  const Value loss = loss_in(graph, Mode::train);
  Program train = compile(graph, {loss, minimize(loss, store, adam({.learning_rate = 0.02}))});
  Program measure = compile(plain, {loss_in(plain, Mode::infer)});
  std::vector<std::int32_t> ids;
  for (int i = 0; i < 24; ++i) ids.push_back((i * 7 + i / 4) % 30);
  const std::vector<Binding> batch{{"tokens", Tensor::from(ids, {6, 4})}};
  const float first = measure.run(batch)[0].item();
  CHECK(static_cast<double>(first) == doctest::Approx(std::log(30)).epsilon(0.3));
  for (int step = 0; step < 150; ++step) train.run(batch);
  CHECK(measure.run(batch)[0].item() < 0.2F * first);
}

TEST_CASE("cutoffs that do not rise within the vocabulary are refused") {
  for (const std::vector<std::int64_t>& cutoffs :
       {std::vector<std::int64_t>{}, {0, 5}, {5, 5}, {7, 3}, {5, kWords}, {-1}}) {
    ParameterStore store;
    Graph graph;
    CHECK_THROWS_AS(adaptive_log_probabilities(store, "softmax", {.vocabulary = kWords, .cutoffs = cutoffs},
                                               graph.input("hidden", f32, {2, kHidden})),
                    GraphError);
  }
}

}  // namespace
}  // namespace eddy::test
