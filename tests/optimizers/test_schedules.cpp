// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "eddy/graph/program.h"
#include "eddy/optimizers/plateau.h"
#include "tests/optimizers/trajectory.h"

namespace eddy::test {
namespace {

std::vector<float> rates_of(const Schedule& schedule, int steps) {
  Graph graph;
  Program program = compile(graph, {schedule.build(graph.input("step", i32, {}))});
  std::vector<float> rates;
  for (int step = 0; step < steps; ++step) rates.push_back(program.run({{"step", Tensor::scalar(step)}})[0].item());
  return rates;
}

TEST_CASE("schedules follow PyTorch") {
  const double base = golden()["base_rate"];
  const std::map<std::string, Schedule> schedules = {
      {"exponential", exponential_decay(base, 0.9)},
      {"step", step_decay(base, 0.5, 4)},
      {"cosine", cosine_decay(base, 20, 0.05)},
      {"linear", linear_decay(base, base * 0.25, 15)},
      {"piecewise", piecewise_constant({3, 11}, {base, base * 0.1, base * 0.01})},
      {"warm_up_exponential", warm_up(6, exponential_decay(base, 0.9), 0.25)},
      {"floor", exponential_decay(base, 0.8, 2, 0.1)},
  };
  REQUIRE(golden()["schedules"].size() == schedules.size());
  for (const auto& [key, expected] : golden()["schedules"].items()) {
    const auto& name = key;  // clang 14 cannot capture a structured binding
    CAPTURE(name);
    CHECK(largest_error(rates_of(schedules.at(name), static_cast<int>(expected.size())), expected) < 1e-7);
  }
}

TEST_CASE("pieces count from their own boundaries and any graph may be a schedule") {
  const Schedule own([](Value step, SourceLocation) { return step.graph().constant(7.0F); });
  const std::vector<float> rates =
      rates_of(piecewise({2, 5}, {linear_decay(4, 2, 2), exponential_decay(8, 0.5), own}), 7);
  CHECK(rates == std::vector<float>{4, 3, 8, 4, 2, 7, 7});
}

TEST_CASE("cosine and linear schedules stay at their end") {
  CHECK(rates_of(cosine_decay(1, 2, 0.25), 5)[4] == 0.25F);
  CHECK(rates_of(linear_decay(1, 0.5, 2), 5)[4] == 0.5F);
}

TEST_CASE("the optimizer follows its schedule and reports the rate") {
  const Optimizer optimizer = adam({.learning_rate = exponential_decay(0.1, 0.8)});
  CHECK(trajectory_error(optimizer, Form::dense, golden()["scheduled_adam"]) < 2e-6);
  ParameterStore store;
  Trajectory trajectory(store, optimizer, Form::dense);
  trajectory.step(0);
  CHECK(trajectory.learning_rate() == 0.1F);
  trajectory.step(1);
  CHECK(trajectory.learning_rate() == doctest::Approx(0.08));
}

TEST_CASE("schedules that cannot be are refused") {
  CHECK_THROWS_AS(rates_of(cosine_decay(1, 0), 1), GraphError);
  CHECK_THROWS_AS(rates_of(exponential_decay(-1, 0.5), 1), GraphError);
  CHECK_THROWS_AS(rates_of(Schedule(-1), 1), GraphError);
  // The second is infinite as the f32 that a rate is.
  for (const double bad : {std::numeric_limits<double>::infinity(), 1e300, std::nan("")}) {
    CHECK_THROWS_AS(rates_of(Schedule(bad), 1), GraphError);
    CHECK_THROWS_AS(rates_of(exponential_decay(bad, 0.5), 1), GraphError);
    CHECK_THROWS_AS(rates_of(step_decay(1, bad, 2), 1), GraphError);
    CHECK_THROWS_AS(rates_of(linear_decay(1, bad, 2), 1), GraphError);
    CHECK_THROWS_AS(rates_of(cosine_decay(1, 2, bad), 1), GraphError);
    CHECK_THROWS_AS(rates_of(piecewise_constant({3}, {1, bad}), 1), GraphError);
    CHECK_THROWS_AS(rates_of(warm_up(2, 1, bad), 1), GraphError);
  }
  CHECK_THROWS_AS(rates_of(piecewise_constant({3}, {1}), 1), GraphError);
  CHECK_THROWS_AS(rates_of(piecewise_constant({3, 3}, {1, 2, 3}), 1), GraphError);
}

TEST_CASE("plateau follows PyTorch, also when it is made anew at each report") {
  const std::map<std::string, PlateauOptions> options = {
      {"default", {.factor = 0.5, .patience = 2}},
      {"cooldown", {.factor = 0.5, .patience = 1, .cooldown = 3, .min_scale = 0.2}},
      {"maximize", {.factor = 0.1, .patience = 3, .threshold = 0.01, .maximize = true}},
  };
  for (const auto& [key, expected] : golden()["plateau"].items()) {
    const auto& name = key;  // clang 14 cannot capture a structured binding
    CAPTURE(name);
    ParameterStore store;
    std::vector<float> scales;
    for (const auto& loss : golden()["losses"]) {
      ReduceOnPlateau plateau(store, options.at(name));
      const double before = plateau.scale();
      const double value = name == "maximize" ? 10 - loss.get<double>() : loss.get<double>();
      const bool lowered = plateau.report(value);
      CHECK(lowered == (plateau.scale() < before));
      scales.push_back(static_cast<float>(plateau.scale()));
    }
    CHECK(largest_error(scales, expected) < 1e-6);
  }
}

TEST_CASE("a plateau lowers the rate of a program that is already compiled") {
  ParameterStore store;
  Trajectory trajectory(store, sgd({.learning_rate = 0.5}), Form::dense);
  ReduceOnPlateau plateau(store, {.factor = 0.5, .patience = 0});
  plateau.report(1);
  CHECK(plateau.report(std::nan("")));
  trajectory.step(0);
  CHECK(trajectory.learning_rate() == 0.25F);
}

TEST_CASE("a plateau knows better from worse on both sides of zero") {
  // By a threshold of a tenth, of values that are to fall; they are negated where they are to rise.
  const std::vector<std::pair<double, bool>> reports = {{2, true},      {1.9, false}, {1.7, true},    {-1, true},
                                                        {-0.95, false}, {-1, false},  {-1.05, false}, {-1.2, true},
                                                        {0, false},     {1, false},   {-2, true}};
  for (const bool maximize : {false, true}) {
    ParameterStore store;
    ReduceOnPlateau plateau(store, {.factor = 0.5, .patience = 0, .threshold = 0.1, .maximize = maximize});
    for (const auto& [value, better] : reports) CHECK(plateau.report(maximize ? -value : value) != better);
  }
}

TEST_CASE("a value is no better than itself, and a plateau never raises the rate") {
  for (const double value : {0.1, 0.3, 0.7}) {
    ParameterStore store;
    ReduceOnPlateau plateau(store, {.factor = 0.5, .patience = 2, .threshold = 0});
    int lowered = 0;
    for (int i = 0; i < 20; ++i) lowered += plateau.report(value) ? 1 : 0;
    CHECK(lowered == 6);
  }
  ParameterStore store;
  for (const double least : {-0.5, 2.0})
    CHECK_THROWS_WITH_AS(ReduceOnPlateau(store, {.min_scale = least}), doctest::Contains("min_scale"), UsageError);
  for (const double share : {-0.1, 1.0, std::numeric_limits<double>::infinity(), std::nan("")})
    CHECK_THROWS_WITH_AS(ReduceOnPlateau(store, {.threshold = share}), doctest::Contains("threshold"), UsageError);
}

}  // namespace
}  // namespace eddy::test
