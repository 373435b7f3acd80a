// SPDX-License-Identifier: Apache-2.0
// The basics on one page: fit y = 3 a - 2 b + 1 by gradient descent, and look at what was built.
#include <eddy/eddy.h>
#include <fmt/format.h>

#include <cmath>
#include <vector>

using namespace eddy;

int main() {
  // Data: 256 points with a little noise.
  Philox random(7);
  std::vector<float> points, answers;
  for (int i = 0; i < 256; ++i) {
    const float a = uniform_float(random, -1, 1), b = uniform_float(random, -1, 1);
    points.insert(points.end(), {a, b});
    answers.push_back(3 * a - 2 * b + 1 + 0.01f * normal_float(random));
  }
  const Tensor x = Tensor::from(points, {256, 2}), y = Tensor::from(answers, {256, 1});

  // A graph: named inputs, parameters from a store, a loss. Shapes are checked on every line.
  ParameterStore store(/*seed=*/1);
  Graph graph;
  const Value in = graph.input("x", f32, {256, 2});
  const Value target = graph.input("y", f32, {256, 1});
  const Value w = parameter(graph, store, "w", {2, 1}, zeros());
  const Value b = parameter(graph, store, "b", {1}, zeros());
  const Value loss = mean_squared_error(matmul(in, w) + b, target);

  // A program: the loss, and an update that needs the gradient; everything else follows.
  Program step = compile(graph, {loss, minimize(loss, store, sgd({.learning_rate = 0.5f}))});
  for (int i = 0; i < 100; ++i) {
    const float error = step.run({{"x", x}, {"y", y}})[0].item();
    if (i % 20 == 0) fmt::print("step {:3}  mean squared error {:.6f}\n", i, error);
  }

  const auto weights = store.find("w")->value.values<const float>();
  const float bias = store.find("b")->value.item();
  fmt::print("y = {:.3f} a + {:.3f} b + {:.3f}\n\n{}\n{}", weights[0], weights[1], bias, step.text(),
             to_string(step.memory_plan()));
  const bool right = std::abs(weights[0] - 3) < 0.01f && std::abs(weights[1] + 2) < 0.01f && std::abs(bias - 1) < 0.01f;
  return right ? 0 : 1;
}
