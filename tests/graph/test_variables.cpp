// SPDX-License-Identifier: Apache-2.0
// Variables and the order of their updates: every reader of the old value runs before the write.
#include <doctest/doctest.h>

#include "eddy/graph/builtin.h"
#include "eddy/graph/program.h"
#include "eddy/graph/variable.h"
#include "eddy/ops/add.h"
#include "eddy/ops/mul.h"
#include "eddy/ops/slice.h"
#include "tests/support/arrays.h"

namespace eddy::test {
namespace {

using Doubles = std::vector<double>;

TEST_CASE("variables: an update is seen by the next run, and readers of the old value come first") {
  Graph graph;
  ParameterStore store;
  const Value w = parameter(graph, store, "w", {2}, constant_value(1));
  const Value next = assign(w, w * 2);
  const Value old_read_late = w + 10;  // made after the update, but reads the old value
  const Value new_read = next + 100;
  Program program = compile(graph, {new_read, old_read_late, next});
  for (const double power : {1.0, 2.0, 4.0}) {
    const std::span<const Tensor> got = program.run();
    CHECK(to_doubles(got[0]) == Doubles{100 + 2 * power, 100 + 2 * power});
    CHECK(to_doubles(got[1]) == Doubles{10 + power, 10 + power});
    CHECK(to_doubles(got[2]) == Doubles{2 * power, 2 * power});
    CHECK(to_doubles(store.find("w")->value) == Doubles{2 * power, 2 * power});
  }
}

TEST_CASE("variables: a view of the old value is read before the write") {
  Graph graph;
  ParameterStore store;
  const Value w = parameter(graph, store, "w", {4}, constant_value(3));
  const Value tail = slice(w, 0, 2);  // a view
  const Value next = assign(w, w + 1);
  Program program = compile(graph, {next, tail, tail * 2});
  const std::span<const Tensor> got = program.run();
  CHECK(to_doubles(got[1]) == Doubles{3, 3});
  CHECK(to_doubles(got[2]) == Doubles{6, 6});
  CHECK(to_doubles(program.run()[1]) == Doubles{4, 4});
}

TEST_CASE("variables: results keep their values when the variable moves on") {
  Graph graph;
  ParameterStore store;
  const Value w = parameter(graph, store, "w", {1}, constant_value(5));
  Program program = compile(graph, {w});
  const Tensor result = program.run()[0];
  store.find("w")->value.values<float>()[0] = 6;
  CHECK(result.item() == 5);
  CHECK(program.run()[0].item() == 6);
}

TEST_CASE("variables: two updates in a row") {
  Graph graph;
  ParameterStore store;
  const Value w = parameter(graph, store, "w", {1}, constant_value(1));
  const Value once = assign(w, w + 1);
  const Value between = once * 10;
  const Value twice = assign(once, once * 3);
  Program program = compile(graph, {twice, between, w + 0.5F});
  const std::span<const Tensor> got = program.run();
  CHECK(got[0].item() == 6);
  CHECK(got[1].item() == 20);
  CHECK(got[2].item() == 1.5F);
  CHECK(store.find("w")->value.item() == 6);
}

TEST_CASE("variables: two variables exchange their values") {
  Graph graph;
  ParameterStore store;
  const Value a = parameter(graph, store, "a", {1}, constant_value(1));
  const Value b = parameter(graph, store, "b", {1}, constant_value(2));
  Program program = compile(graph, {assign(a, b), assign(b, a)});
  program.run();
  CHECK(store.find("a")->value.item() == 2);
  CHECK(store.find("b")->value.item() == 1);
}

TEST_CASE("variables: after() waits for both of two updates in a row") {
  Graph graph;
  ParameterStore store;
  const Value w = parameter(graph, store, "w", {1}, constant_value(1));
  const Value once = assign(w, w + 1);
  const Value twice = assign(once, once * 3);
  Program program = compile(graph, {after(graph.constant(4.0F) * 1, {once, twice})});
  CHECK(program.run()[0].item() == 4);
  CHECK(store.find("w")->value.item() == 6);
}

TEST_CASE("variables: an update no result needs does not happen, whatever the passes") {
  for (const bool prune : {true, false}) {
    Graph graph;
    ParameterStore store;
    const Value w = parameter(graph, store, "w", {1}, constant_value(1));
    const Value next = assign(w, w + 1);
    Program idle = compile(graph, {w * 2}, {.passes = {.prune = prune}});
    idle.run();
    CHECK(store.find("w")->value.item() == 1);
    Program tied = compile(graph, {after(w * 2, {next})}, {.passes = {.prune = prune}});
    CHECK(tied.run()[0].item() == 2);
    CHECK(store.find("w")->value.item() == 2);
  }
}

TEST_CASE("variables: equal updates of different variables are not merged") {
  Graph graph;
  ParameterStore store;
  const Value a = parameter(graph, store, "a", {1}, constant_value(1));
  const Value b = parameter(graph, store, "b", {1}, constant_value(1));
  const Value next = graph.constant(Tensor::from<float>({7}, {1}));
  Program program = compile(graph, {assign(a, next), assign(b, next)});
  program.run();
  CHECK(store.find("a")->value.item() == 7);
  CHECK(store.find("b")->value.item() == 7);
}

TEST_CASE("variables: programs of one store share storage, and outlive graph and store") {
  auto store = std::make_unique<ParameterStore>();
  auto train_graph = std::make_unique<Graph>();
  auto read_graph = std::make_unique<Graph>();
  const Value w = parameter(*train_graph, *store, "w", {1}, constant_value(1));
  Program train = compile(*train_graph, {assign(w, w + 1)});
  Program read = compile(*read_graph, {parameter(*read_graph, *store, "w", {1}, constant_value(9)) * 10});
  train.run();
  CHECK(read.run()[0].item() == 20);
  train_graph.reset();
  read_graph.reset();
  store.reset();
  train.run();
  CHECK(read.run()[0].item() == 30);
}

TEST_CASE("variables: a weight and a state of one name are an error, as one of them would never be trained") {
  ParameterStore store;
  Graph graph;
  state(graph, store, "w", {f32, {2}});
  CHECK_THROWS_WITH_AS(parameter(graph, store, "w", {2}, zeros()),
                       doctest::Contains("'w' is no weight in the store, but a weight is asked for"), GraphError);
}

TEST_CASE("variables: initial values depend on seed and name, not on the order of making") {
  const auto value_of = [](std::uint64_t seed, bool other_first) {
    ParameterStore store(seed);
    if (other_first) store.get("other", {f32, {5}}, uniform(1));
    return to_doubles(store.get("w", {f32, {5}}, uniform(1))->value);
  };
  CHECK(value_of(1, false) == value_of(1, true));
  CHECK(value_of(1, false) != value_of(2, false));
  ParameterStore store(1);
  CHECK(to_doubles(store.get("w", {f32, {5}}, uniform(1))->value) !=
        to_doubles(store.get("v", {f32, {5}}, uniform(1))->value));
}

}  // namespace
}  // namespace eddy::test
