// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "eddy/graph/program.h"
#include "tests/optimizers/trajectory.h"

namespace eddy::test {
namespace {

constexpr double kTolerance = 2e-6;

TEST_CASE("clipping by norm follows PyTorch, dense and row-sparse") {
  const nlohmann::json& clip = golden()["clip"];
  const Optimizer clipped_adam =
      adam({.learning_rate = 0.1, .beta1 = 0.5, .beta2 = 0.75, .epsilon = 0.1, .clip_norm = 8, .weight_decay = 0.3});
  CHECK(trajectory_error(clipped_adam, Form::dense, clip["norm_adam"]) < kTolerance);
  CHECK(trajectory_error(sgd({.learning_rate = 0.1, .clip_norm = 8}), Form::dense, clip["norm_sgd"]) < kTolerance);
  // Rows of equal index must be added before they are squared.
  CHECK(trajectory_error(sgd({.learning_rate = 0.1, .clip_norm = 4}), Form::sparse, clip["norm_sparse_sgd"]) <
        kTolerance);
  int clipped = 0;
  for (const auto& norm : clip["norms"]) clipped += norm.get<double>() > 8;
  CHECK(clipped > 2);
  CHECK(clipped < static_cast<int>(clip["norms"].size()));
}

TEST_CASE("clipping by value follows PyTorch, dense and row-sparse") {
  const Optimizer optimizer = sgd({.learning_rate = 0.1}, {.clip_value = 0.75});
  CHECK(trajectory_error(optimizer, Form::dense, golden()["clip"]["value_sgd"]) < kTolerance);
  CHECK(trajectory_error(optimizer, Form::sparse, golden()["clip"]["value_sparse_sgd"]) < kTolerance);
}

TEST_CASE("the norm reported is the one before clipping") {
  for (const double limit : {0.0, 8.0}) {
    ParameterStore store;
    Trajectory trajectory(store, sgd({.clip_norm = limit}), Form::dense);
    for (std::size_t step = 0; step < 12; ++step) {
      trajectory.step(step);
      CHECK(trajectory.gradient_norm() == doctest::Approx(golden()["clip"]["norms"][step].get<double>()).epsilon(1e-6));
    }
  }
}

/// Two parameters of gradients (3, 4) and (12): norms 5 and 12, 13 together.
struct TwoGroups {
  Graph graph;
  ParameterStore store;
  Value first, second;

  TwoGroups()
      : first(parameter(graph, store, "embedding/table", {2}, zeros())),
        second(parameter(graph, store, "output/weight", {1}, zeros())) {}
  /// Steps once; gradients are inputs.
  Tensor step(const Optimizer& optimizer, std::vector<float> a, std::vector<float> b) {
    const std::vector<ParameterGradient> gradients = {{first, graph.input("a", f32, {2})},
                                                      {second, graph.input("b", f32, {1})}};
    const Updates updates = apply_gradients(gradients, store, optimizer);
    Program program = compile(graph, {updates, updates.gradient_norm});
    return program.run({{"a", Tensor::from(a, {2})}, {"b", Tensor::from(b, {1})}})[1].clone();
  }
  float weight(std::string_view name, std::size_t i = 0) const { return store.find(name)->value.values<float>()[i]; }
};

TEST_CASE("one norm is taken over all parameters") {
  TwoGroups model;
  CHECK(model.step(sgd({.learning_rate = 1, .clip_norm = 1.3}), {3, 4}, {12}).item() == doctest::Approx(13));
  CHECK(model.weight("embedding/table", 0) == doctest::Approx(-0.3));
  CHECK(model.weight("embedding/table", 1) == doctest::Approx(-0.4));
  CHECK(model.weight("output/weight") == doctest::Approx(-1.2));
}

TEST_CASE("a group may be left out of clipping") {
  TwoGroups model;
  const Optimizer optimizer = sgd({.learning_rate = 1, .clip_norm = 1.2}, {.unclipped = {"embedding/"}});
  CHECK(model.step(optimizer, {3, 4}, {12}).item() == doctest::Approx(12));
  CHECK(model.weight("embedding/table", 1) == doctest::Approx(-4));
  CHECK(model.weight("output/weight") == doctest::Approx(-1.2));
}

TEST_CASE("gradients that are not finite skip the step and are counted") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinity = std::numeric_limits<float>::infinity();
  for (const float bad : {nan, infinity, -infinity}) {
    for (const bool unclipped : {false, true}) {
      TwoGroups model;
      UpdateOptions options;
      if (unclipped) options.unclipped = {"embedding/"};
      model.step(adam({.learning_rate = 1, .clip_norm = 1}, options), {3, bad}, {12});
      CHECK(model.weight("embedding/table", 0) == 0);
      CHECK(model.weight("output/weight") == 0);
      CHECK(model.weight("optimizer/adam_m/output/weight") == 0);
      CHECK(model.store.find("optimizer/step")->value.item() == 0);
      CHECK(model.store.find("optimizer/skipped_steps")->value.item() == 1);
    }
  }
  TwoGroups model;
  model.step(adam({.learning_rate = 1}), {3, 4}, {12});
  CHECK(model.store.find("optimizer/step")->value.item() == 1);
  CHECK(model.store.find("optimizer/skipped_steps")->value.item() == 0);
}

TEST_CASE("without the watch a NaN reaches the parameters, even through clipping by value") {
  TwoGroups model;
  const Optimizer optimizer = sgd({.learning_rate = 1}, {.clip_value = 1, .skip_non_finite = false});
  model.step(optimizer, {3, std::numeric_limits<float>::quiet_NaN()}, {12});
  CHECK(model.weight("embedding/table", 0) == -1);
  CHECK(std::isnan(model.weight("embedding/table", 1)));
  CHECK(model.store.find("optimizer/skipped_steps") == nullptr);
}

}  // namespace
}  // namespace eddy::test
