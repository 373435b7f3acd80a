// SPDX-License-Identifier: Apache-2.0
// What tensors a run takes for its inputs.
#include <doctest/doctest.h>

#include <algorithm>

#include "eddy/graph/builtin.h"
#include "eddy/graph/program.h"
#include "eddy/graph/variable.h"
#include "eddy/ops/add.h"
#include "eddy/ops/concat.h"
#include "eddy/ops/mul.h"
#include "eddy/ops/scan.h"
#include "eddy/ops/slice.h"
#include "eddy/ops/tanh.h"
#include "tests/support/arrays.h"

namespace eddy::test {
namespace {

Tensor floats(const std::vector<float>& values) {
  return Tensor::from(values, {static_cast<std::int64_t>(values.size())});
}

TEST_CASE("bindings: a result is fed back as a clone, never as it lies") {
  Graph graph;
  const Value h = graph.input("h", f32, {2}), x = graph.input("x", f32, {2});
  Program program = compile(graph, {h * 2 + x, x + 1});
  const Tensor one = floats({1, 1});
  const Tensor next = program.run({{"h", one}, {"x", one}})[0];
  CHECK_THROWS_WITH_AS(program.run({{"h", next}, {"x", one}}),
                       doctest::Contains("[input] 'h' (f32[2]) is bound to the memory of a result"), GraphError);
  CHECK_THROWS_WITH_AS(program.run({{"h", one}, {"x", next}}), doctest::Contains("bind a clone()"), GraphError);
  CHECK(to_doubles(program.run({{"h", next.clone()}, {"x", one}})[0]) == std::vector<double>{7, 7});
  // What another program gave is free to read.
  Program other = compile(graph, {x * 3});
  CHECK(to_doubles(other.run({{"x", next}})[0]) == std::vector<double>{21, 21});
}

TEST_CASE("bindings: a variable that the run updates is no input, one that it reads is") {
  Graph graph;
  ParameterStore store;
  const Value w = parameter(graph, store, "w", {2}, constant_value(3));
  const Value v = parameter(graph, store, "v", {2}, constant_value(4));
  const Value x = graph.input("x", f32, {2});
  Program program = compile(graph, {assign(w, w + x) + v});
  CHECK_THROWS_WITH_AS(program.run({{"x", store.find("w")->value}}),
                       doctest::Contains("the memory of the variable 'w'"), GraphError);
  CHECK(to_doubles(program.run({{"x", store.find("v")->value}})[0]) == std::vector<double>{11, 11});
}

TEST_CASE("bindings: a name is bound once, used or not") {
  Graph graph;
  const Value x = graph.input("x", f32, {1});
  graph.input("spare", f32, {1});
  Program program = compile(graph, {x + 1});
  const Tensor one = floats({1});
  CHECK_THROWS_WITH_AS(program.run({{"x", one}, {"x", one}}), doctest::Contains("'x' is bound twice"), GraphError);
  CHECK_THROWS_WITH_AS(program.run({{"spare", one}, {"x", one}, {"spare", one}}),
                       doctest::Contains("'spare' is bound twice"), GraphError);
  CHECK_NOTHROW(program.run({{"spare", one}, {"x", one}}));
}

TEST_CASE("bindings: an input that no result needs is told, need not be bound, and has its type all the same") {
  Graph graph;
  const Value x = graph.input("x", f32, {1});
  graph.input("mask", f32, {2});
  Program program = compile(graph, {x + 1});
  const std::vector<ProgramInputInfo> inputs = program.inputs();
  REQUIRE(inputs.size() == 2);
  CHECK(inputs[0].name == "mask");
  CHECK(inputs[0].type == TensorType{f32, {2}});
  CHECK_FALSE(inputs[0].is_used);
  CHECK(inputs[1].name == "x");
  CHECK(inputs[1].is_used);
  const Tensor one = floats({1});
  CHECK_NOTHROW(program.run({{"x", one}}));
  CHECK_NOTHROW(program.run({{"x", one}, {"mask", floats({1, 0})}}));
  CHECK_THROWS_WITH_AS(program.run({{"x", one}, {"mask", one}}),
                       doctest::Contains("'mask' is f32[2], but a tensor f32[1] is bound"), GraphError);
  CHECK_THROWS_WITH_AS(program.run({{"x", one}, {"mask", Tensor()}}),
                       doctest::Contains("'mask' (f32[2]) is bound to an empty tensor"), GraphError);
}

/// All combinations of passes.
std::vector<PassSwitches> all_passes() {
  std::vector<PassSwitches> result;
  for (unsigned bits = 0; bits < 64; ++bits) {
    const auto is_on = [bits](unsigned pass) { return (bits >> pass & 1U) != 0; };
    result.push_back({is_on(0), is_on(1), is_on(2), is_on(3), is_on(4), is_on(5)});
  }
  return result;
}

TEST_CASE("bindings: which inputs a run needs is said by the graph, not by its passes") {
  Graph graph;
  const Value x = graph.input("x", f32, {2}), dropped = graph.input("dropped", f32, {2});
  const Value dead = graph.input("dead", f32, {2});
  graph.input("lonely", f32, {2});
  tanh(dead * x) + 1;
  // The loop's output and with it one of its sequences goes when loops are lowered.
  const Value steps = graph.input("steps", f32, {3, 2}), aside = graph.input("aside", f32, {3, 2});
  const ScanResult loop = scan(
      [](std::span<const Value> in, const State& s) -> Step {
        return {tanh(in[1]), {{"h", s["h"] + in[0]}}};
      },
      {steps, aside}, {{"h", x}});
  const Value y = loop.last["h"] * slice(concat({x, dropped}, 0), 0, 0, 2);
  const Tensor two = floats({1, 2}), six(f32, {3, 2});
  std::ranges::fill(six.values<float>(), 1.0F);
  const std::vector<Binding> all{{"x", two}, {"dropped", two}, {"steps", six}, {"aside", six}};
  for (const PassSwitches& passes : all_passes()) {
    Program program = compile(graph, {y}, {.passes = passes});
    for (const ProgramInputInfo& input : program.inputs())
      CHECK(input.is_used == (input.name != "dead" && input.name != "lonely"));
    CHECK(to_doubles(program.run(all)[0]) == std::vector<double>{4, 10});
    for (std::size_t left_out = 0; left_out < all.size(); ++left_out) {
      std::vector<Binding> some = all;
      some.erase(some.begin() + static_cast<std::ptrdiff_t>(left_out));
      CHECK_THROWS_WITH_AS(program.run(some), doctest::Contains("is not bound"), GraphError);
    }
  }
}

TEST_CASE("bindings: a constant is what its tensor was when the graph was built") {
  Graph graph;
  const Value x = graph.input("x", f32, {2});
  const Tensor numbers = floats({1, 2});
  const Value c = graph.constant(numbers);
  Program before = compile(graph, {x + c});
  numbers.values<float>()[0] = 100;
  Program after = compile(graph, {x + c});
  for (Program* program : {&before, &after})
    CHECK(to_doubles(program->run({{"x", floats({0, 0})}})[0]) == std::vector<double>{1, 2});
}

}  // namespace
}  // namespace eddy::test
