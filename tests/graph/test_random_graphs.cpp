// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <cstring>

#include "eddy/graph/passes.h"
#include "eddy/graph/program.h"
#include "tests/graph/interpreter.h"
#include "tests/graph/plan_check.h"
#include "tests/graph/random_graph.h"
#include "tests/support/arrays.h"

namespace eddy::test {
namespace {

constexpr std::uint64_t kGraphs = 1000;
constexpr int kRuns = 3;

std::vector<Binding> bindings_of(const RandomGraph& random) {
  std::vector<Binding> bindings;
  for (const auto& [name, tensor] : random.inputs()) bindings.push_back({name, tensor});
  return bindings;
}

/// What `runs` runs in a row yield, and the variables after them.
std::vector<Tensor> run_program(RandomGraph& random, CompileOptions options, std::string* problem = nullptr) {
  random.reset_variables();
  options.arena = std::make_shared<Arena>();
  Program program = compile(random.graph(), random.results(), options);
  if (problem != nullptr) *problem = plan_problem(program.memory_plan());
  const std::vector<Binding> bindings = bindings_of(random);
  std::vector<Tensor> results;
  for (int run = 0; run < kRuns; ++run) {
    // Nothing may depend on what earlier runs left in the arena: all bits set are NaN as f32.
    if (options.arena->bytes() > 0) std::memset(options.arena->data(), 0xFF, options.arena->bytes());
    for (Tensor& tensor : copies(program.run(bindings))) results.push_back(std::move(tensor));
  }
  for (Tensor& tensor : random.variable_values()) results.push_back(std::move(tensor));
  return results;
}

std::vector<Tensor> run_interpreter(RandomGraph& random) {
  random.reset_variables();
  Interpreter interpreter(random.graph(), random.results());
  std::vector<Tensor> results;
  for (int run = 0; run < kRuns; ++run)
    for (Tensor& tensor : interpreter.run(random.inputs())) results.push_back(std::move(tensor));
  for (Tensor& tensor : random.variable_values()) results.push_back(std::move(tensor));
  return results;
}

template <class Check>
void for_random_graphs(Check&& check) {
  for (std::uint64_t seed = 0; seed < kGraphs; ++seed) {
    RandomGraph random(seed);
    INFO("seed ", seed, "\n", graph_text(random.graph()));
    try {
      check(random);
    } catch (const std::exception& error) {
      FAIL_CHECK(std::string(error.what()));
    }
  }
}

/// Empty when `got` has the bits of `expected`, or, of a graph with loops from which a pass moved work, is close.
std::string pass_difference(const RandomGraph& random, std::span<const Tensor> got, std::span<const Tensor> expected) {
  return random.has_loop() ? difference(got, expected, 1e-4) : bit_difference(got, expected);
}

TEST_CASE("random graphs: a program without passes yields the bits of the plain interpreter") {
  for_random_graphs([](RandomGraph& random) {
    const std::vector<Tensor> expected = run_interpreter(random);
    CHECK(bit_difference(run_program(random, {.passes = {true, false, false, false, false, false}}), expected) == "");
    CHECK(bit_difference(run_program(random, {.passes = {false, false, false, false, false, false}}), expected) == "");
  });
}

TEST_CASE("random graphs: passes that only drop, merge or compute early keep every bit") {
  for_random_graphs([](RandomGraph& random) {
    const std::vector<Tensor> expected = run_interpreter(random);
    CHECK(bit_difference(run_program(random, {.passes = {true, false, true, false, false, false}}), expected) == "");
    CHECK(bit_difference(run_program(random, {.passes = {true, false, false, true, false, false}}), expected) == "");
    CHECK(bit_difference(run_program(random, {.passes = {false, false, true, true, false, false}}), expected) == "");
    CHECK(bit_difference(run_program(random, {.passes = {true, false, false, false, false, true}}), expected) == "");
    CHECK(pass_difference(random, run_program(random, {.passes = {false, false, true, true, true, true}}), expected) ==
          "");
    CHECK(bit_difference(run_program(random, {.passes = {false, false, false, false, false, true}}), expected) == "");
  });
}

TEST_CASE("random graphs: the clean-up changes rounding only, and other switches not even that") {
  for_random_graphs([](RandomGraph& random) {
    const std::vector<Tensor> all = run_program(random, {});
    CHECK(difference(all, run_interpreter(random), 1e-4) == "");
    CHECK(bit_difference(run_program(random, {.passes = {.prune = false}}), all) == "");
    CHECK(bit_difference(run_program(random, {.reuse_memory = false}), all) == "");
    CHECK(bit_difference(run_program(random, {.in_place = false}), all) == "");
    CHECK(bit_difference(run_program(random, {.reuse_memory = false, .in_place = false}), all) == "");
  });
}

TEST_CASE("random graphs: no two live buffers of a program overlap") {
  std::size_t shared = 0;
  std::size_t loops = 0;
  for_random_graphs([&](RandomGraph& random) {
    for (const bool in_place : {true, false}) {
      std::string problem;
      run_program(random, {.in_place = in_place}, &problem);
      CHECK(problem == "");
    }
    for (const bool lower : {true, false}) {
      const Lowered passed = run_passes(random.graph(), random.results(), {.lower = lower});
      CHECK(loop_plan_problem(*passed.graph, &loops) == "");
    }
    const MemoryPlan plan = compile(random.graph(), random.results()).memory_plan();
    if (plan.arena_bytes < plan.unshared_bytes) ++shared;
  });
  // Without this the property could hold because nothing ever shares.
  CHECK(shared > kGraphs / 3);
  CHECK(loops > kGraphs / 5);
}

TEST_CASE("random graphs: programs that share an arena do not disturb each other") {
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    INFO("seed ", seed);
    RandomGraph first(seed);
    RandomGraph second(seed + 1000);
    const auto arena = std::make_shared<Arena>();
    Program a = compile(first.graph(), first.results(), {.arena = arena});
    Program b = compile(second.graph(), second.results(), {.arena = arena});
    const std::vector<Tensor> expected_a = run_program(first, {});
    const std::vector<Tensor> expected_b = run_program(second, {});
    first.reset_variables();
    second.reset_variables();
    for (std::size_t run = 0; run < kRuns; ++run) {
      // Both run before either result is read: results live outside the arena.
      const std::span<const Tensor> got_a = a.run(bindings_of(first));
      const std::span<const Tensor> got_b = b.run(bindings_of(second));
      CHECK(bit_difference(got_a, std::span(expected_a).subspan(run * got_a.size(), got_a.size())) == "");
      CHECK(bit_difference(got_b, std::span(expected_b).subspan(run * got_b.size(), got_b.size())) == "");
    }
  }
}

}  // namespace
}  // namespace eddy::test
