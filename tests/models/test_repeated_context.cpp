// SPDX-License-Identifier: Apache-2.0
// The frame model of Pig Latin: parameter counts, values against loops over plain numbers, and that it learns.
#include <doctest/doctest.h>

#include <cmath>

#include "eddy/core/random.h"
#include "eddy/models/repeated_context.h"
#include "eddy/ops/mean_squared_error.h"
#include "eddy/ops/one_hot.h"
#include "eddy/optimizers/minimize.h"
#include "tests/models/model_runs.h"
#include "tests/support/arrays.h"

namespace eddy::test {
namespace {

using Vector = std::vector<double>;

std::int64_t parameters_of(const RepeatedContextConfig& config, std::int64_t source_length) {
  Graph graph;
  ParameterStore store;
  const Value scores = repeated_context(store, config, graph.input("source", i32, {source_length, 2}));
  CHECK(scores.shape() == Shape{config.target_length, 2, config.characters});
  return store.parameter_count();
}

/// x w + bias; columns [begin, end) of w.
Vector product(const Vector& x, const Tensor& w, std::size_t begin, std::size_t end) {
  const auto columns = static_cast<std::size_t>(w.shape()[1]);
  Vector y(end - begin, 0.0);
  for (std::size_t i = 0; i < x.size(); ++i)
    for (std::size_t j = begin; j < end; ++j)
      y[j - begin] += x[i] * static_cast<double>(w.values<float>()[i * columns + j]);
  return y;
}

Vector dense(const ParameterStore& store, const std::string& name, const Vector& x) {
  const Tensor w = store.find(name + "/w")->value, bias = store.find(name + "/bias")->value;
  Vector y = product(x, w, 0, static_cast<std::size_t>(w.shape()[1]));
  for (std::size_t i = 0; i < y.size(); ++i) y[i] += static_cast<double>(bias.values<float>()[i]);
  return y;
}

/// Keras: z and r by hard sigmoids, n = tanh(x W + (r h) U + b), h' = z h + (1 - z) n; columns in the order r, z, n.
Vector gru_step(const ParameterStore& store, const std::string& name, const Vector& x, const Vector& h) {
  const std::size_t n = h.size();
  const Tensor w = store.find(name + "/w_x")->value, u = store.find(name + "/w_h")->value;
  const auto bias = store.find(name + "/bias")->value.values<float>();
  const auto gate = [&](std::size_t block) {
    Vector sum = product(x, w, block * n, (block + 1) * n);
    const Vector recurrent = product(h, u, block * n, (block + 1) * n);
    for (std::size_t i = 0; i < n; ++i)
      sum[i] = std::clamp(0.2 * (sum[i] + recurrent[i] + static_cast<double>(bias[block * n + i])) + 0.5, 0.0, 1.0);
    return sum;
  };
  const Vector r = gate(0), z = gate(1);
  Vector reset = h;
  for (std::size_t i = 0; i < n; ++i) reset[i] *= r[i];
  Vector next = product(x, w, 2 * n, 3 * n);
  const Vector recurrent = product(reset, u, 2 * n, 3 * n);
  for (std::size_t i = 0; i < n; ++i)
    next[i] = z[i] * h[i] + (1 - z[i]) * std::tanh(next[i] + recurrent[i] + static_cast<double>(bias[2 * n + i]));
  return next;
}

}  // namespace

TEST_CASE("repeated context: parameter counts of Pig Latin and the adder") {
  CHECK(parameters_of({.characters = 28, .target_length = 20}, 18) == 179100);
  CHECK(parameters_of({.characters = 14, .target_length = 12}, 12) == 171918);
}

TEST_CASE("repeated context: values") {
  const std::vector<Ints> rows = {{0, 3, 2, 4, 4}, {1, 1, 4, 4, 4}};
  FedGraph graph;
  ParameterStore store;
  const Value scores = repeated_context(store, {.characters = 5, .target_length = 4, .hidden_size = 6},
                                        graph.feed(columns<std::int32_t>(rows, 4)));
  randomize(store);
  const Tensor got = graph.run({scores})[0];
  for (std::size_t batch = 0; batch < 2; ++batch) {
    Vector h(6, 0.0);
    for (const std::int32_t character : rows[batch]) {
      Vector x(5, 0.0);
      x[static_cast<std::size_t>(character)] = 1;
      h = gru_step(store, "encoder", x, h);
    }
    Vector context = dense(store, "context", h);
    for (double& value : context) value = std::max(value, 0.0);
    h.assign(6, 0.0);
    for (std::size_t t = 0; t < 4; ++t) {
      h = gru_step(store, "decoder", context, h);
      const Vector expected = dense(store, "scores", h);
      for (std::size_t i = 0; i < 5; ++i)
        CHECK(got.values<float>()[(t * 2 + batch) * 5 + i] == doctest::Approx(expected[i]).epsilon(1e-4));
    }
  }
}

TEST_CASE("repeated context: it learns to write words backwards") {
  const std::vector<Ints> words = random_rows({4, 4, 4, 4, 4, 4, 4, 4}, 8, 3);
  std::vector<Ints> backwards = words;
  for (Ints& word : backwards) std::reverse(word.begin(), word.end());
  FedGraph graph;
  ParameterStore store(1);
  const Value scores = repeated_context(store, {.characters = 8, .target_length = 4, .hidden_size = 24},
                                        graph.feed(columns<std::int32_t>(words, 0)));
  const Value loss = mean_squared_error(scores, one_hot(graph.feed(columns<std::int32_t>(backwards, 0)), 8));
  Program program = compile(graph.graph, {loss, minimize(loss, store, adam({.learning_rate = 1e-2}))});
  const float first = program.run(graph.bindings())[0].item();
  for (int step = 0; step < 300; ++step) program.run(graph.bindings());
  CHECK(program.run(graph.bindings())[0].item() < 0.02F * first);
}

TEST_CASE("repeated context: sizes that are not positive are told") {
  Graph graph;
  ParameterStore store;
  const Value source = graph.input("source", i32, {3, 2});
  CHECK_THROWS_WITH_AS(repeated_context(store, {.characters = 5}, source), doctest::Contains("target length 0"),
                       GraphError);
}

}  // namespace eddy::test
