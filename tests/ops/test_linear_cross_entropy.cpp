// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "eddy/core/random.h"
#include "eddy/core/threads.h"
#include "eddy/graph/gradient.h"
#include "eddy/graph/program.h"
#include "eddy/ops/add.h"
#include "eddy/ops/cross_entropy.h"
#include "eddy/ops/linear.h"
#include "eddy/ops/linear_cross_entropy.h"
#include "eddy/ops/square.h"
#include "eddy/ops/sum.h"
#include "tests/support/largest.h"

namespace eddy::test {
namespace {

// More logits than exist at once, and a last stretch that is not full.
constexpr std::int64_t kRows = 1500, kSize = 5, kClasses = 30001;

Tensor uniform_values(const Shape& shape, std::uint64_t seed) {
  Philox random(seed);
  const Tensor tensor(f32, shape);
  for (float& x : tensor.values<float>()) x = uniform_float(random, -0.5F, 0.5F);
  return tensor;
}

struct Evaluated {
  std::vector<Tensor> values;  ///< the loss and its gradients by hidden, table and bias, copied
  std::size_t memory;
};

struct Operands {
  Tensor hidden = uniform_values({kRows, kSize}, 1);
  Tensor table = uniform_values({kClasses, kSize}, 2);
  Tensor bias = uniform_values({kClasses}, 3);
};

Evaluated evaluate(const std::vector<std::int32_t>& targets, const Tensor& weights, bool whole, bool differentiate,
                   const Operands& operands = {}) {
  Graph graph;
  const Value hidden = graph.input("hidden", f32, operands.hidden.shape()),
              table = graph.input("table", f32, operands.table.shape()),
              bias = graph.input("bias", f32, operands.bias.shape()),
              target = graph.input("target", i32, weights.shape()),
              weight = graph.input("weight", f32, weights.shape());
  const Value loss =
      whole ? cross_entropy(linear(hidden, table, bias, {.transpose_w = true}), target, {.weights = weight})
            : linear_cross_entropy(hidden, table, bias, target, shares_of_mean(target, weight));
  std::vector<Value> results{loss};
  if (differentiate)
    for (const Value& gradient : dense_gradients(loss, {hidden, table, bias})) results.push_back(gradient);
  Program program = compile(graph, results);
  const std::vector<Binding> bindings{{"hidden", operands.hidden},
                                      {"table", operands.table},
                                      {"bias", operands.bias},
                                      {"target", Tensor::from(targets, weights.shape())},
                                      {"weight", weights}};
  Evaluated evaluated{.values = {}, .memory = program.memory_plan().arena_bytes};
  for (const Tensor& tensor : program.run(bindings)) evaluated.values.push_back(tensor.clone());
  return evaluated;
}

void check_close(const Evaluated& found, const Evaluated& expected, double tolerance = 2e-5) {
  REQUIRE(found.values.size() == expected.values.size());
  for (std::size_t i = 0; i < found.values.size(); ++i) {
    CAPTURE(i);
    CHECK(relative_difference(found.values[i], expected.values[i]) <= tolerance);
  }
}

std::vector<std::int32_t> some_targets() {
  std::vector<std::int32_t> targets;
  for (std::int32_t i = 0; i < kRows; ++i) targets.push_back(i % 5 == 4 ? -1 : (i * 37) % kClasses);
  return targets;
}

TEST_CASE("a loss in stretches of rows and its gradients are those of all rows at once, in less memory") {
  std::vector<std::int32_t> all(kRows);
  for (std::int32_t i = 0; i < kRows; ++i) all[static_cast<std::size_t>(i)] = (i * 37) % kClasses;
  const Tensor weights = uniform_values({kRows}, 4);
  for (float& x : weights.values<float>()) x += 0.75F;
  for (const std::vector<std::int32_t>& targets : {all, some_targets()}) {
    const Evaluated whole = evaluate(targets, weights, true, true);
    const Evaluated stretches = evaluate(targets, weights, false, true);
    check_close(stretches, whole);
    CHECK(stretches.memory < whole.memory / 2);
  }
}

TEST_CASE("without gradients only the rows in work have logits") {
  const Tensor weights = uniform_values({kRows}, 4);
  for (float& x : weights.values<float>()) x += 0.75F;
  const Evaluated whole = evaluate(some_targets(), weights, true, false);
  const Evaluated stretches = evaluate(some_targets(), weights, false, false);
  check_close(stretches, whole);
  CHECK(stretches.memory < static_cast<std::size_t>(32 * num_threads() * kClasses * 4));
}

TEST_CASE("where nothing counts the loss and its gradients are zero") {
  const Tensor none = Tensor::from(std::vector<float>(kRows, 0), {kRows});
  for (const Evaluated& found :
       {evaluate(std::vector<std::int32_t>(kRows, 3), none, false, true),
        evaluate(std::vector<std::int32_t>(kRows, -1), uniform_values({kRows}, 4), false, true)})
    for (const Tensor& tensor : found.values)
      CHECK(std::ranges::all_of(tensor.values<float>(), [](float x) { return x == 0; }));
}

TEST_CASE("sizes beyond the blocks that stay in cache, which none of them divides") {
  constexpr std::int64_t kMany = 353, kWide = 600;
  for (const std::int64_t classes : {1030, 520}) {
    const Operands operands{uniform_values({kMany, kWide}, 10), uniform_values({classes, kWide}, 11),
                            uniform_values({classes}, 12)};
    std::vector<std::int32_t> targets;
    for (std::int64_t i = 0; i < kMany; ++i) targets.push_back(static_cast<std::int32_t>(i * 37 % classes));
    const Tensor weights = uniform_values({kMany}, 13);
    // One thread has more rows than several, and needs more stretches of them.
    const int before = num_threads();
    for (const int threads : {1, before}) {
      set_num_threads(threads);
      check_close(evaluate(targets, weights, false, true, operands), evaluate(targets, weights, true, true, operands));
    }
    set_num_threads(before);
  }
}

TEST_CASE("logits far above those of the first classes, and classes that are ruled out") {
  // One class more than a panel has, and so on; the largest logit of a row lies anywhere.
  for (const std::int64_t classes : {3, 65, 129, 700})
    for (const std::int64_t size : {1, 17, 70}) {
      constexpr std::int64_t kFew = 25;
      Operands operands{uniform_values({kFew, size}, 6), uniform_values({classes, size}, 7),
                        uniform_values({classes}, 8)};
      const float spread = 400.0F / std::sqrt(static_cast<float>(size));
      for (float& x : operands.hidden.values<float>()) x *= spread;
      for (std::int64_t i = 0; i < classes; ++i)
        operands.bias.values<float>()[static_cast<std::size_t>(i)] +=
            45.0F * static_cast<float>(std::min<std::int64_t>(i / 64, 4));
      for (std::int64_t i = 1; i < classes; i += 3)
        operands.bias.values<float>()[static_cast<std::size_t>(i)] = -std::numeric_limits<float>::infinity();
      std::vector<std::int32_t> targets;
      for (std::int64_t i = 0; i < kFew; ++i) targets.push_back(static_cast<std::int32_t>(i * 3 % classes / 3 * 3));
      const Tensor weights = uniform_values({kFew}, 9);
      // Logits of 200 are rounded to 1.5e-5.
      for (const bool differentiate : {false, true})
        check_close(evaluate(targets, weights, false, differentiate, operands),
                    evaluate(targets, weights, true, differentiate, operands), 1e-4);
    }
}

TEST_CASE("a logit that is no number is a loss that is none") {
  Operands operands{uniform_values({30, 4}, 6), uniform_values({90, 4}, 7), uniform_values({90}, 8)};
  const Tensor weights = Tensor::from(std::vector<float>(30, 1), {30});
  for (const std::size_t at : {0, 70}) {
    const Tensor bias = operands.bias.clone();
    bias.values<float>()[at] = std::numeric_limits<float>::quiet_NaN();
    const Evaluated found =
        evaluate(std::vector<std::int32_t>(30, 5), weights, false, true, {operands.hidden, operands.table, bias});
    CHECK(std::isnan(found.values[0].values<float>()[0]));
    CHECK(std::isnan(found.values[1].values<float>()[0]));
  }
}

TEST_CASE("rows that do not count may hold anything, to the second order") {
  constexpr std::int64_t kRows = 4, kSize = 3, kClasses = 5;
  Graph graph;
  const Value hidden = graph.input("hidden", f32, {kRows, kSize}), table = graph.input("table", f32, {kClasses, kSize});
  const Value bias = graph.input("bias", f32, {kClasses}), targets = graph.input("targets", i32, {kRows});
  const Value weights = graph.input("weights", f32, {kRows});
  const std::vector<Value> wrt{hidden, table, bias};
  const Value loss = linear_cross_entropy(hidden, table, bias, targets, weights);
  const std::vector<Value> first = dense_gradients(loss, wrt);
  const Value penalty = sum(square(first[0])) + sum(square(first[1])) + sum(square(first[2]));
  std::vector<Value> wanted = dense_gradients(penalty, wrt);
  wanted.insert(wanted.end(), {loss, penalty});
  Program program = compile(graph, wanted);
  Tensor states(f32, {kRows, kSize}), words(f32, {kClasses, kSize}), biases(f32, {kClasses});
  Philox random(3);
  for (const Tensor& tensor : {states, words, biases})
    for (float& x : tensor.values<float>()) x = uniform_float(random, -1, 1);
  for (std::size_t i = 0; i < kSize; ++i) {
    states.values<float>()[i] = std::nanf("");
    states.values<float>()[kSize + i] = std::numeric_limits<float>::infinity();
  }
  const auto results = program.run({{"hidden", states},
                                    {"table", words},
                                    {"bias", biases},
                                    {"targets", Tensor::from<std::int32_t>({1, -1, 2, 3}, {kRows})},
                                    {"weights", Tensor::from<float>({0, 1, 1, 0.5F}, {kRows})}});
  for (const Tensor& result : results)
    for (const float x : result.values<const float>()) CHECK(std::isfinite(x));
}

TEST_CASE("a loss in stretches has the same bits for any number of threads") {
  const Tensor weights = uniform_values({kRows}, 5);
  const int before = num_threads();
  std::vector<Evaluated> found;
  for (const int threads : {1, 2, 3}) {
    set_num_threads(threads);
    found.push_back(evaluate(some_targets(), weights, false, true));
  }
  set_num_threads(before);
  for (const Evaluated& other : found)
    for (std::size_t i = 0; i < other.values.size(); ++i)
      CHECK(std::ranges::equal(other.values[i].values<float>(), found[0].values[i].values<float>()));
}

TEST_CASE("a loss in stretches repeats bit for bit") {
  const Tensor weights = uniform_values({kRows}, 5);
  const Evaluated first = evaluate(some_targets(), weights, false, true);
  const Evaluated second = evaluate(some_targets(), weights, false, true);
  for (std::size_t i = 0; i < first.values.size(); ++i)
    CHECK(std::ranges::equal(first.values[i].values<float>(), second.values[i].values<float>()));
}

}  // namespace
}  // namespace eddy::test
