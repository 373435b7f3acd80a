// SPDX-License-Identifier: Apache-2.0
// What building and compiling a graph refuses, with the line that asked for it.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "eddy/graph/builtin.h"
#include "eddy/graph/program.h"
#include "eddy/graph/variable.h"
#include "eddy/ops/add.h"

namespace eddy::test {
namespace {

std::string here(unsigned line) { return fmt::format("tests/graph/test_refused.cpp:{}", line); }

TEST_CASE("refused: a variable there is none of, and an empty constant") {
  Graph graph;
  const ParameterStore store;
  try {
    graph.variable(store.find("typo"));
    FAIL("a null variable is taken");
  } catch (const GraphError& error) {
    CHECK(error.op() == "variable");
    CHECK(error.sentence().find("is null") != std::string::npos);
    CHECK(to_string(error.origin()).find(here(__LINE__ - 5)) != std::string::npos);
  }
  CHECK_THROWS_WITH_AS(graph.variable(std::make_shared<Variable>(Variable{.name = "w", .value = {}})),
                       doctest::Contains("'w' has no value"), GraphError);
  CHECK_THROWS_WITH_AS(graph.constant(Tensor()), doctest::Contains("[constant] the tensor is empty"), GraphError);
}

TEST_CASE("refused: to fill with what is no whole number of 32 bits; all others are exact") {
  Graph graph;
  for (const double number : {2147483648.0, -2147483649.0, std::nan(""), 1e300})
    CHECK_THROWS_WITH_AS(full(graph, {i32, {2}}, number), doctest::Contains("is no i32"), GraphError);
  Program program = compile(graph, {full(graph, {i32, {}}, 16777217), full(graph, {i32, {}}, -2147483648.0),
                                    full(graph, {i32, {}}, 2147483647), full(graph, {i32, {}}, -1.5)});
  const auto results = program.run({});
  CHECK(results[0].values<std::int32_t>()[0] == 16777217);
  CHECK(results[1].values<std::int32_t>()[0] == std::numeric_limits<std::int32_t>::min());
  CHECK(results[2].values<std::int32_t>()[0] == std::numeric_limits<std::int32_t>::max());
  CHECK(results[3].values<std::int32_t>()[0] == -1);
}

TEST_CASE("refused: a name that a sealed store does not have") {
  ParameterStore store;
  Graph graph;
  parameter(graph, store, "layer0/w_x", {2, 3}, zeros());
  parameter(graph, store, "layer0/w_h", {2, 3}, zeros());
  parameter(graph, store, "softmax/w", {2, 3}, zeros());
  store.seal();
  CHECK_NOTHROW(parameter(graph, store, "layer0/w_h", {2, 3}, zeros()));
  CHECK_THROWS_WITH_AS(parameter(graph, store, "layer0/wx", {2, 3}, zeros()),
                       doctest::Contains("there is no 'layer0/wx', and the store is sealed; the nearest are: "
                                         "layer0/w_h, layer0/w_x, softmax/w"),
                       GraphError);
  CHECK(store.all().size() == 3);
}

TEST_CASE("refused: initializers without blocks, named with their variable and line") {
  Graph graph;
  ParameterStore store;
  const unsigned line = __LINE__ + 1;
  const auto made_with = [&](const Initializer& initializer) { parameter(graph, store, "layer/w", {4}, initializer); };
  for (const auto& [initializer, message] :
       {std::pair<Initializer, std::string>{block_bias(0, 0, 1), "a bias of 0 blocks has no block 0"},
        {block_bias(4, 4, 1), "a bias of 4 blocks has no block 4"},
        {block_bias(-1, 4, 1), "a bias of 4 blocks has no block -1"},
        {block_bias(0, 3, 1), "does not consist of 3 blocks"},
        {glorot_uniform(0), "at least one block, not 0"},
        {orthogonal(1, 0), "at least one block, not 0"},
        {orthogonal(1, -2), "at least one block, not -2"}}) {
    const std::string expected = message;
    INFO(expected);
    try {
      made_with(initializer);
      FAIL("is taken");
    } catch (const GraphError& error) {
      const std::string text = error.what();
      CHECK_MESSAGE(text.find(expected) != std::string::npos, text);
      CHECK_MESSAGE(text.find("[variable] 'layer/w'") != std::string::npos, text);
      CHECK_MESSAGE(text.find(here(line)) != std::string::npos, text);
    }
    CHECK(store.find("layer/w") == nullptr);
  }
}

TEST_CASE("refused: empty values, named with the op and the line") {
  Graph graph;
  const Value x = graph.input("x", f32, {2});
  const auto message = [](auto&& build) {
    try {
      build();
    } catch (const GraphError& error) {
      return std::string(error.what());
    }
    return std::string("is taken");
  };
  const std::vector<std::pair<std::string, std::string>> messages{
      {"add_n", message([&] {
         add_n({Value(), x});
       })},
      {"scatter_add", message([&] { scatter_add({}, {2}, {}, x); })},
      {"gather_rows", message([&] { gather_rows(Value(), x); })},
      {"copy", message([&] { copy_of(Value()); })},
      {"after", message([&] { after(Value(), {x}); })},
      {"assign", message([&] { assign(Value(), x); })}};
  for (const auto& [op, what] : messages) {
    const std::string& text = what;
    CHECK_MESSAGE(text.find("[" + op + "] the argument is an empty value") != std::string::npos, text);
    CHECK_MESSAGE(text.find("tests/graph/test_refused.cpp:") != std::string::npos, text);
  }
}

TEST_CASE("refused: rows to scatter that are not one for each index") {
  Graph graph;
  const Value indices = graph.input("indices", i32, {2, 3});
  const Shape table{5, 2};
  CHECK_THROWS_WITH_AS(scatter_add({}, table, indices, graph.input("flat", f32, {6, 2})),
                       doctest::Contains("rows must be f32[2,3,2]"), GraphError);
  CHECK(scatter_add({}, table, indices, graph.input("rows", f32, {2, 3, 2})).shape() == table);
}

TEST_CASE("refused: results are named by their place and line") {
  Graph graph, other;
  const Value x = graph.input("x", f32, {1});
  CHECK_THROWS_WITH_AS(compile(graph, {x, Value()}), doctest::Contains("result 1 is an empty value"), GraphError);
  const Value foreign = other.input("x", f32, {1});
  const std::string line = here(__LINE__ - 1);
  CHECK_THROWS_WITH_AS(compile(graph, {foreign}), doctest::Contains("result 0 (f32[1]) is of another graph"),
                       GraphError);
  CHECK_THROWS_WITH_AS(compile(graph, {foreign}), doctest::Contains(line.c_str()), GraphError);
}

/// An op whose kernel finds no memory, when it is made or when it runs.
struct Hungry final : OpClass<Hungry> {
  static constexpr std::string_view kName = "hungry";
  bool runs;
  explicit Hungry(bool r) : runs(r) {}
  static void attributes(auto& op, auto&& visit) { visit("runs", op.runs); }
  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override { return {inputs[0]}; }
  Kernel make_kernel(const KernelContext&) const override {
    require<MemoryError>(runs, "no memory");
    return {.run = [](const KernelArgs&) { fail<MemoryError>("no memory"); }};
  }
};

TEST_CASE("refused: a lack of memory stays one, whoever finds it") {
  const SourceLocation where = SourceLocation::current("model.cpp", 7);
  for (const bool runs : {false, true})
    for (const bool folded : {false, true}) {
      INFO(runs, folded);
      Graph graph;
      const Value x = folded ? graph.constant(1.0F) : graph.input("x", f32, {});
      const Value y = add_node(graph, Hungry(runs), {x}, where);
      const auto attempt = [&] {
        Program program = compile(graph, {y});
        program.run({{"x", Tensor::scalar(1.0F)}});
      };
      CHECK_THROWS_WITH_AS(attempt(), doctest::Contains("[hungry]"), MemoryError);
      CHECK_THROWS_WITH_AS(attempt(), doctest::Contains("model.cpp:7"), MemoryError);
    }
}

}  // namespace
}  // namespace eddy::test
