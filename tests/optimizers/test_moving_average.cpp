// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <cmath>

#include "eddy/graph/program.h"
#include "eddy/optimizers/moving_average.h"
#include "tests/optimizers/trajectory.h"

namespace eddy::test {
namespace {

std::vector<float> values_of(const ParameterStore& store, std::string_view name) {
  const std::span<float> values = store.find(name)->value.values<float>();
  return {values.begin(), values.end()};
}

TEST_CASE("averages follow the parameters after each update") {
  ParameterStore store;
  Trajectory trajectory(store, sgd({.learning_rate = 0.1}), Form::dense, /*average=*/true);
  CHECK(values_of(store, "ema/table") == values_of(store, "table"));
  for (std::size_t step = 0; step < golden()["average"].size(); ++step) {
    CHECK(largest_error(trajectory.step(step), golden()["dense"]["sgd"][step]) < 2e-6);
    CHECK(largest_error(values_of(store, "ema/table"), golden()["average"][step]) < 2e-6);
  }
}

TEST_CASE("the decay warms up with the step, and a skipped step moves no average") {
  ParameterStore store;
  Graph graph;
  const Shape shape{golden()["shape"][0], golden()["shape"][1]};
  const Value table = parameter(graph, store, "table", shape, [&](const Tensor& value, Philox&) {
    value.copy_from(tensor_of(golden()["start"], shape));
  });
  const ParameterGradient gradient{table, graph.input("gradient", f32, shape)};
  const Updates updates = apply_gradients(std::span(&gradient, 1), store, sgd({.learning_rate = 0.1}));
  Program program = compile(graph, {exponential_moving_average(updates, store, 0.9, {.warm_up = true})});
  const Tensor nan = Tensor(f32, shape);
  nan.values<float>()[0] = std::nanf("");
  for (std::size_t step = 0; step < golden()["warm_average"].size(); ++step) {
    program.run({{"gradient", nan}});
    program.run({{"gradient", tensor_of(golden()["gradients"][step], shape)}});
    CHECK(largest_error(values_of(store, "ema/table"), golden()["warm_average"][step]) < 2e-6);
  }
}

TEST_CASE("averaged weights stand in for the parameters while the scope lives") {
  ParameterStore store;
  Trajectory trajectory(store, sgd({.learning_rate = 0.1}), Form::dense, /*average=*/true);
  trajectory.step(0);
  const std::vector<float> parameters = values_of(store, "table");
  const std::vector<float> averages = values_of(store, "ema/table");
  REQUIRE(parameters != averages);
  const void* address = store.find("table")->value.data();
  {
    const AveragedWeights averaged(store);
    CHECK(values_of(store, "table") == averages);
    CHECK(store.find("table")->value.data() == address);
  }
  CHECK(values_of(store, "table") == parameters);
  CHECK(values_of(store, "ema/table") == averages);
}

TEST_CASE("averages that cannot be are refused") {
  ParameterStore store;
  CHECK_THROWS_AS(AveragedWeights{store}, UsageError);
  store.get("ema/gone", {f32, {2}}, zeros(), false);
  CHECK_THROWS_WITH_AS(AveragedWeights{store}, "the average 'ema/gone' belongs to no parameter", UsageError);
}

}  // namespace
}  // namespace eddy::test
