// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <map>
#include <string>

#include "eddy/optimizers/update_kernels.h"
#include "tests/optimizers/trajectory.h"

namespace eddy::test {
namespace {

constexpr double kTolerance = 2e-6;

const std::map<std::string, Optimizer>& optimizers() {
  static const std::map<std::string, Optimizer> all = {
      {"sgd", sgd({.learning_rate = 0.1})},
      {"sgd_decay", sgd({.learning_rate = 0.1, .weight_decay = 0.3})},
      {"momentum", momentum({.learning_rate = 0.1, .momentum = 0.8})},
      {"nesterov", momentum({.learning_rate = 0.1, .momentum = 0.8, .nesterov = true})},
      {"nesterov_decay", momentum({.learning_rate = 0.1, .momentum = 0.8, .nesterov = true, .weight_decay = 0.3})},
      {"rmsprop", rmsprop({.learning_rate = 0.05, .smoothing = 0.9})},
      {"rmsprop_centered", rmsprop({.learning_rate = 0.05, .smoothing = 0.9, .epsilon = 1e-3, .centered = true})},
      {"rmsprop_momentum", rmsprop({.learning_rate = 0.05, .smoothing = 0.9, .momentum = 0.7})},
      {"rmsprop_all", rmsprop({.learning_rate = 0.05,
                               .smoothing = 0.9,
                               .epsilon = 1e-3,
                               .centered = true,
                               .momentum = 0.7,
                               .weight_decay = 0.3})},
      {"rmsprop_keras",
       rmsprop({.learning_rate = 0.05, .smoothing = 0.9, .epsilon = 1e-2, .epsilon_inside_sqrt = true})},
      {"adagrad", adagrad({.learning_rate = 0.2})},
      {"adagrad_options", adagrad({.learning_rate = 0.2, .rate_decay = 0.1, .initial_accumulator = 0.5})},
      {"adagrad_decay", adagrad({.learning_rate = 0.2, .weight_decay = 0.3})},
      {"adam", adam({.learning_rate = 0.1})},
      {"adam_options", adam({.learning_rate = 0.1, .beta1 = 0.5, .beta2 = 0.75, .epsilon = 0.1, .weight_decay = 0.3})},
      {"adamw", adamw({.learning_rate = 0.1, .weight_decay = 0.3})},
  };
  return all;
}

// The centered rule divides by the root of a difference that cancels.
double tolerance_of(const std::string& name) {
  return name == "rmsprop_centered" || name == "rmsprop_all" ? 1e-4 : kTolerance;
}

TEST_CASE("every rule follows PyTorch step by step, dense") {
  REQUIRE(golden()["dense"].size() == optimizers().size());
  for (const auto& [key, expected] : golden()["dense"].items()) {
    const auto& name = key;  // clang 14 cannot capture a structured binding
    CAPTURE(name);
    REQUIRE(expected.size() >= 10);
    CHECK(trajectory_error(optimizers().at(name), Form::dense, expected) < tolerance_of(name));
  }
}

TEST_CASE("a row-sparse gradient does what its dense form does in PyTorch") {
  for (const auto& [key, expected] : golden()["scattered"].items()) {
    const auto& name = key;  // clang 14 cannot capture a structured binding
    CAPTURE(name);
    CHECK(trajectory_error(optimizers().at(name), Form::sparse, expected) < tolerance_of(name));
  }
}

TEST_CASE("a row-sparse gradient does what its dense form does, bit for bit") {
  for (const auto& [key, optimizer] : optimizers()) {
    const auto& name = key;  // clang 14 cannot capture a structured binding
    CAPTURE(name);
    ParameterStore sparse_store;
    ParameterStore dense_store;
    Trajectory sparse(sparse_store, optimizer, Form::sparse);
    Trajectory dense(dense_store, optimizer, Form::scattered);
    for (std::size_t step = 0; step < 12; ++step) CHECK(sparse.step(step) == dense.step(step));
  }
}

TEST_CASE("rows that are updated lazily follow PyTorch's sparse optimizers") {
  for (const auto& [key, expected] : golden()["sparse"].items()) {
    const auto& name = key;  // clang 14 cannot capture a structured binding
    CAPTURE(name);
    Optimizer optimizer = optimizers().at(name == "adam_lazy" ? "adam" : name);
    optimizer.options.lazy_rows = true;
    CHECK(trajectory_error(optimizer, Form::sparse, expected) < kTolerance);
  }
}

TEST_CASE("lazy rows differ from exact ones where slots decay") {
  Optimizer lazy = optimizers().at("adam");
  lazy.options.lazy_rows = true;
  CHECK(trajectory_error(lazy, Form::sparse, golden()["scattered"]["adam"]) > 1e-2);
}

TEST_CASE("kernels treat any count and any split alike") {
  for (const auto& [key, optimizer] : optimizers()) {
    const auto& name = key;  // clang 14 cannot capture a structured binding
    CAPTURE(name);
    const UpdateNumbers numbers = update_numbers(optimizer.rule, 0.1, 3);
    constexpr std::size_t kCount = 53;
    using Array = std::array<float, kCount + 1>;
    std::array<Array, 5> whole;
    for (std::size_t a = 0; a < whole.size(); ++a)
      for (std::size_t i = 0; i <= kCount; ++i)
        whole[a][i] = 0.1F + 0.01F * static_cast<float>((i * 37 + a * 11) % 50) * static_cast<float>(a == 3 ? 1e-2 : 1);
    std::array<Array, 5> split = whole;
    const std::array<Array, 5> before = whole;
    const auto span_of = [](std::array<Array, 5>& arrays) {
      return UpdateSpan{arrays[0].data(), arrays[1].data(), {arrays[2].data(), arrays[3].data(), arrays[4].data()}};
    };
    update_elements(numbers, span_of(whole), kCount);
    update_elements(numbers, span_of(split), 5);
    update_elements(numbers, span_of(split).from(5), 17);
    update_elements(numbers, span_of(split).from(22), 1);
    update_elements(numbers, span_of(split).from(23), kCount - 23);
    for (std::size_t a = 0; a < whole.size(); ++a) {
      CHECK(whole[a] == split[a]);
      CHECK(whole[a][kCount] == before[a][kCount]);
    }
    CHECK(whole[1] != before[1]);
  }
}

TEST_CASE("numbers out of range are refused") {
  CHECK_THROWS_WITH_AS(momentum({.momentum = 1}), "momentum must be in [0, 1), it is 1", UsageError);
  CHECK_THROWS_AS(adam({.beta2 = -0.1}), UsageError);
  CHECK_THROWS_AS(adam({.clip_norm = -1}), UsageError);
  CHECK_THROWS_AS(sgd({.clip_norm = 1}, {.clip_value = 1}), UsageError);
  CHECK_THROWS_AS(sgd({}, {.rate_multipliers = {{"a", -1}}}), UsageError);
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  CHECK_THROWS_WITH_AS(adam({.epsilon = kInfinity}), "epsilon must be finite and not negative, it is inf", UsageError);
  CHECK_THROWS_AS(adamw({.weight_decay = kInfinity}), UsageError);
  CHECK_THROWS_AS(adagrad({.initial_accumulator = std::nan("")}), UsageError);
  CHECK_THROWS_AS(sgd({}, {.rate_multipliers = {{"a", kInfinity}}}), UsageError);
}

}  // namespace
}  // namespace eddy::test
