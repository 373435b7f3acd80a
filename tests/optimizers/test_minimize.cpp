// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <cstring>
#include <string>

#include "eddy/graph/builtin.h"
#include "eddy/graph/program.h"
#include "eddy/ops/add.h"
#include "eddy/ops/argmax.h"
#include "eddy/ops/cast.h"
#include "eddy/ops/dropout.h"
#include "eddy/ops/mul.h"
#include "eddy/ops/random_key.h"
#include "eddy/ops/scan.h"
#include "eddy/ops/stop_gradient.h"
#include "eddy/ops/sub.h"
#include "eddy/ops/sum.h"
#include "tests/optimizers/trajectory.h"
#include "tests/support/largest.h"

namespace eddy::test {
namespace {

/// sum((table[tokens] * scale - 1)^2): a row-sparse and a dense parameter.
struct Model {
  Graph graph;
  Value table, scale, loss;

  explicit Model(ParameterStore& store)
      : table(parameter(graph, store, "embedding/table", {9, 5}, uniform(1))),
        scale(parameter(graph, store, "scale", {5}, constant_value(0.5F))) {
    const Value error = gather_rows(table, graph.input("tokens", i32, {6})) * scale - 1;
    loss = sum(error * error);
  }
};

Tensor tokens_of(int step) {
  std::vector<std::int32_t> values;
  for (int i = 0; i < 6; ++i) values.push_back((i * 5 + step * 2) % 7);
  return Tensor::from(values, {6});
}

TEST_CASE("minimize trains in the same program as the loss") {
  for (const Optimizer& optimizer :
       {sgd({.learning_rate = 0.05}), momentum({.learning_rate = 0.02}), rmsprop({.learning_rate = 0.02}),
        adagrad({.learning_rate = 0.2}), adam({.learning_rate = 0.05, .clip_norm = 5}),
        adamw({.learning_rate = 0.05}, {.lazy_rows = true})}) {
    ParameterStore store(3);
    Model model(store);
    Program program = compile(model.graph, {model.loss, minimize(model.loss, store, optimizer)});
    const float first = program.run({{"tokens", tokens_of(0)}})[0].item();
    for (int step = 1; step < 60; ++step) program.run({{"tokens", tokens_of(step)}});
    const std::span<const Tensor> last = program.run({{"tokens", tokens_of(0)}});
    CHECK(last[0].item() < 0.2 * first);
    CHECK(last[1].item() == 61);
  }
}

TEST_CASE("only what is asked for runs") {
  ParameterStore store(3);
  Model model(store);
  const Updates updates = minimize(model.loss, store, adam());
  Program watch = compile(model.graph, {model.loss, updates.gradient_norm, updates.learning_rate});
  CHECK(watch.run({{"tokens", tokens_of(0)}})[1].item() > 0);
  CHECK(store.find("optimizer/step")->value.item() == 0);
  CHECK(store.find("scale")->value.values<float>()[0] == 0.5F);
}

TEST_CASE("a resumed run goes on bit for bit") {
  for (const Optimizer& optimizer :
       {momentum({.learning_rate = 0.02, .nesterov = true}), rmsprop({.learning_rate = 0.02, .centered = true}),
        adagrad({.learning_rate = 0.2, .rate_decay = 0.01}),
        adam({.learning_rate = warm_up(3, cosine_decay(0.05, 20)), .clip_norm = 2})}) {
    ParameterStore straight(3);
    Model model(straight);
    Program program = compile(model.graph, {model.loss, minimize(model.loss, straight, optimizer)});
    ParameterStore resumed(99);  // other initial weights: all must come from the copy
    for (int step = 0; step < 5; ++step) program.run({{"tokens", tokens_of(step)}});
    for (const std::shared_ptr<Variable>& variable : straight.all())
      resumed.get(variable->name, variable->value.type(), zeros(), variable->trainable)
          ->value.copy_from(variable->value);
    for (int step = 5; step < 12; ++step) program.run({{"tokens", tokens_of(step)}});

    Model again(resumed);
    Program rest = compile(again.graph, {again.loss, minimize(again.loss, resumed, optimizer)});
    for (int step = 5; step < 12; ++step) rest.run({{"tokens", tokens_of(step)}});
    REQUIRE(straight.all().size() == resumed.all().size());
    for (const std::shared_ptr<Variable>& variable : straight.all()) {
      CAPTURE(variable->name);
      const Tensor other = resumed.find(variable->name)->value;
      CHECK(std::memcmp(other.data(), variable->value.data(), other.bytes()) == 0);
    }
  }
}

TEST_CASE("a tied embedding's dense and row-sparse gradients add up") {
  // loss = sum(table[tokens]) + sum(3 * table): gradient 3 + occurrences.
  ParameterStore store;
  Graph graph;
  const Value table = parameter(graph, store, "table", {4, 2}, zeros());
  const Value rows = gather_rows(table, graph.input("tokens", i32, {3}));
  const Value loss = sum(rows) + sum(table * 3);
  Program program = compile(graph, {minimize(loss, store, sgd({.learning_rate = 1}))});
  program.run({{"tokens", Tensor::from<std::int32_t>({2, 0, 2}, {3})}});
  const std::span<float> values = store.find("table")->value.values<float>();
  CHECK(std::vector<float>(values.begin(), values.end()) == std::vector<float>{-4, -4, -3, -3, -5, -5, -3, -3});
}

TEST_CASE("two lookups of one table update it once") {
  ParameterStore store;
  Graph graph;
  const Value table = parameter(graph, store, "table", {4, 2}, zeros());
  const Value loss =
      sum(gather_rows(table, graph.input("a", i32, {2}))) + sum(gather_rows(table, graph.input("b", i32, {1})));
  const Updates updates = minimize(loss, store, sgd({.learning_rate = 1}));
  Program program = compile(graph, {updates, updates.gradient_norm});
  const std::span<const Tensor> results =
      program.run({{"a", Tensor::from<std::int32_t>({1, 3}, {2})}, {"b", Tensor::from<std::int32_t>({3}, {1})}});
  CHECK(results[1].item() == doctest::Approx(std::sqrt(10.0)));
  const std::span<float> values = store.find("table")->value.values<float>();
  CHECK(std::vector<float>(values.begin(), values.end()) == std::vector<float>{0, 0, -1, -1, 0, 0, -2, -2});
}

TEST_CASE("parameters whose gradients are each other's old values are updated rightly") {
  ParameterStore store;
  Graph graph;
  const Value a = parameter(graph, store, "a", {3}, constant_value(2));
  const Value b = parameter(graph, store, "b", {3}, constant_value(5));
  const Updates updates = minimize(sum(a * b), store, sgd({.learning_rate = 0.1}));
  compile(graph, {updates}).run();
  CHECK(store.find("a")->value.values<float>()[1] == doctest::Approx(1.5));
  CHECK(store.find("b")->value.values<float>()[1] == doctest::Approx(4.8));
}

TEST_CASE("a trainable variable the loss does not reach is an error that names it") {
  ParameterStore store;
  Model model(store);
  parameter(model.graph, store, "forgotten", {2}, zeros());
  CHECK_THROWS_WITH_AS(minimize(model.loss, store, sgd()), doctest::Contains("trainable variables 'forgotten'"),
                       GraphError);
  CHECK_NOTHROW(minimize(model.loss, store, sgd({}, {.allow_unused = true})));
  CHECK_NOTHROW(minimize(model.loss, store, sgd({}, {.rate_multipliers = {{"forgotten", 0}}, .name = "other"})));
}

TEST_CASE("a loss of no parameter is an error") {
  ParameterStore store;
  Graph graph;
  CHECK_THROWS_WITH_AS(minimize(graph.input("x", f32, {}), store, sgd()), doctest::Contains("no trainable variable"),
                       GraphError);
  Model model(store);
  CHECK_THROWS_WITH_AS(minimize(model.loss, store, sgd({}, {.rate_multipliers = {{"embedding/", 0}, {"scale", 0}}})),
                       doctest::Contains("rate_multipliers of 0 freeze all that the loss depends on"), GraphError);
}

TEST_CASE("a step of a loop cannot minimize") {
  ParameterStore store(1);
  Graph graph;
  const Value x = graph.input("x", f32, {4, 3});
  const Value w = parameter(graph, store, "w", {3}, zeros());
  const auto step = [&](Value row, const State&) -> Step {
    return {.output = minimize(sum(row * w), store, sgd()).step};
  };
  CHECK_THROWS_WITH_AS(scan(step, x, State{}), doctest::Contains("a step of a loop updates no variable"), GraphError);
}

TEST_CASE("a loss that depends on a parameter through integers alone is an error that says so") {
  ParameterStore store;
  Graph graph;
  const Value w = parameter(graph, store, "w", {3}, uniform(1));
  const Value v = parameter(graph, store, "v", {3}, uniform(1));
  CHECK_THROWS_WITH_AS(minimize(sum(v) + cast(argmax(w), f32), store, sgd()),
                       doctest::Contains("'w', or only by way of what has no gradient (integers"), GraphError);
}

TEST_CASE("prefixes that fit no parameter are errors that list those there are") {
  ParameterStore store;
  Model model(store);
  const auto refused = [&](const UpdateOptions& options, const std::string& part) {
    CAPTURE(part);
    CHECK_THROWS_WITH_AS(minimize(model.loss, store, sgd({}, options)), doctest::Contains(part.c_str()), GraphError);
  };
  refused({.unclipped = {"scale", "x/"}}, "begins with \"x/\", which stands in unclipped; there are: embedding/table");
  refused({.undecayed = {"scael"}}, "begins with \"scael\", which stands in undecayed");
  refused({.rate_multipliers = {{"embeding/", 0}}}, "begins with \"embeding/\", which stands in rate_multipliers");
  refused({.first_steps = {{"optimizer/step", 3}}}, "which stands in first_steps");
  CHECK_NOTHROW(minimize(model.loss, store, sgd({}, {.undecayed = {"scael"}, .allow_unmatched = true})));
}

TEST_CASE("a store that does not hold the parameters is refused") {
  ParameterStore store, other;
  Model model(store);
  CHECK_THROWS_WITH_AS(minimize(model.loss, other, sgd()),
                       doctest::Contains("'embedding/table', which is not of the store"), GraphError);
  parameter(model.graph, other, "scale", {5}, zeros());
  CHECK_THROWS_WITH_AS(minimize(model.loss, other, sgd()), doctest::Contains("is not of the store"), GraphError);
}

TEST_CASE("a network of another store may stand behind stop_gradient") {
  ParameterStore teacher(1), student(2);
  Graph graph;
  const Value x = graph.input("x", f32, {3, 2});
  const Value wanted = stop_gradient(x * parameter(graph, teacher, "w", {2}, uniform(1)));
  const Value error = x * parameter(graph, student, "w", {2}, uniform(1)) - wanted;
  Program step = compile(graph, {minimize(sum(error * error), student, sgd({.learning_rate = 0.05}))});
  const Tensor before = teacher.find("w")->value.clone();
  const std::vector<Binding> batch{{"x", Tensor::from<float>({1, 2, 3, -1, 0.5F, 1}, {3, 2})}};
  for (int i = 0; i < 200; ++i) step.run(batch);
  CHECK(largest_difference(teacher.find("w")->value.values<const float>(), before.values<const float>()) == 0);
  CHECK(largest_difference(student.find("w")->value.values<const float>(), before.values<const float>()) < 1e-4);
}

TEST_CASE("two optimizers of one name are refused in one program, and empty functions anywhere") {
  ParameterStore store(1);
  Model model(store);
  const Value first = minimize(model.loss, store, sgd()), second = minimize(model.loss, store, sgd());
  compile(model.graph, {second});
  CHECK_THROWS_WITH_AS(compile(model.graph, {first, second}),
                       doctest::Contains("variable 'optimizer/step' is written over by [count_when] already"),
                       GraphError);
  CHECK_THROWS_WITH_AS(
      minimize(model.loss, store, sgd({.learning_rate = Schedule(Schedule::Builder())}, {.name = "b"})),
      doctest::Contains("empty function"), GraphError);
  CHECK_THROWS_WITH_AS(parameter(model.graph, store, "new", {2}, Initializer()),
                       doctest::Contains("the initializer of 'new' is an empty function"), GraphError);
}

TEST_CASE("rates by prefix: the longest fits, and 0 freezes without slots") {
  ParameterStore store;
  Graph graph;
  Value loss;
  for (const char* name : {"a/x", "a/b/x", "c/x", "frozen/x"}) {
    const Value term = sum(parameter(graph, store, name, {1}, zeros()));
    loss = loss ? loss + term : term;
  }
  const Optimizer optimizer = momentum({.learning_rate = 1, .momentum = 0.5},
                                       {.rate_multipliers = {{"a/", 0.5}, {"a/b/", 0.25}, {"frozen/", 0}}});
  Program program = compile(graph, {minimize(loss, store, optimizer)});
  program.run();
  CHECK(store.find("a/x")->value.item() == -0.5F);
  CHECK(store.find("a/b/x")->value.item() == -0.25F);
  CHECK(store.find("c/x")->value.item() == -1);
  CHECK(store.find("frozen/x")->value.item() == 0);
  CHECK(store.find("optimizer/momentum/c/x") != nullptr);
  CHECK(store.find("optimizer/momentum/frozen/x") == nullptr);
}

TEST_CASE("weight decay spares parameters by prefix") {
  ParameterStore store;
  Graph graph;
  const Value loss = sum(parameter(graph, store, "w", {1}, constant_value(1)) * 0) +
                     sum(parameter(graph, store, "norm/w", {1}, constant_value(1)) * 0);
  Program program = compile(
      graph, {minimize(loss, store, adamw({.learning_rate = 0.5, .weight_decay = 0.5}, {.undecayed = {"norm/"}}))});
  program.run();
  CHECK(store.find("w")->value.item() == 0.75F);
  CHECK(store.find("norm/w")->value.item() == 1);
}

TEST_CASE("each step draws other random numbers, and a skipped one too") {
  ParameterStore store;
  Graph graph;
  const Value key = random_key(graph, store);
  const Value weight = parameter(graph, store, "w", {64}, constant_value(1));
  const Value kept = dropout(weight, 0.5F, key);
  const Value loss = sum(kept * graph.input("scale", f32, {}));
  Program program = compile(graph, {kept, minimize(loss, store, sgd({.learning_rate = 0}))});
  const auto draw = [&](float scale) {
    const std::span<const float> values = program.run({{"scale", Tensor::scalar(scale)}})[0].values<const float>();
    return std::vector<float>(values.begin(), values.end());
  };
  const std::vector<float> first = draw(1);
  const std::vector<float> second = draw(std::nanf(""));
  CHECK(first != second);
  CHECK(second != draw(1));
  CHECK(store.find("optimizer/step")->value.item() == 2);
}

TEST_CASE("two optimizers of one store keep their own state under other names") {
  ParameterStore store;
  Graph graph;
  const Value a = parameter(graph, store, "a", {1}, zeros());
  const Value b = parameter(graph, store, "b", {1}, zeros());
  const ParameterGradient first{a, graph.constant(Tensor::from<float>({1}, {1}))};
  const ParameterGradient second{b, graph.constant(Tensor::from<float>({1}, {1}))};
  Program program = compile(graph, {apply_gradients(std::span(&first, 1), store, adam()),
                                    apply_gradients(std::span(&second, 1), store, sgd({}, {.name = "critic"}))});
  program.run();
  CHECK(store.find("optimizer/step")->value.item() == 1);
  CHECK(store.find("critic/step")->value.item() == 1);
}

TEST_CASE("gradients that do not fit are refused with the line of the caller") {
  ParameterStore store;
  Graph graph;
  const Value w = parameter(graph, store, "w", {3}, zeros());
  const ParameterGradient wrong{w, graph.input("g", f32, {2})};
  CHECK_THROWS_WITH_AS(apply_gradients(std::span(&wrong, 1), store, sgd()), doctest::Contains("test_minimize.cpp:"),
                       GraphError);
  const ParameterGradient empty{w, {}};
  CHECK_THROWS_WITH_AS(apply_gradients(std::span(&empty, 1), store, sgd()), doctest::Contains("'w' is empty"),
                       GraphError);
  const ParameterGradient not_a_variable{graph.input("x", f32, {3}), graph.input("y", f32, {3})};
  CHECK_THROWS_AS(apply_gradients(std::span(&not_a_variable, 1), store, sgd()), GraphError);

  const auto refused = [&](const std::vector<ParameterGradient>& gradients, const UpdateOptions& options,
                           const std::string& why) {
    CHECK_THROWS_WITH_AS(apply_gradients(gradients, store, sgd({}, options)), doctest::Contains(why.c_str()),
                         GraphError);
  };
  const Value g = graph.input("right", f32, {3});
  refused({{w, g}, {w, g}}, {}, "'w' is given twice");
  refused({{state(graph, store, "count", {f32, {3}}), g}}, {}, "'count' is not trainable");
  refused({{w, g}}, {.rate_multipliers = {{"typo", 0.5}}}, "no trainable variable's name begins with \"typo\"");
  refused({{w, g}}, {.rate_multipliers = {{"w", 0}}}, "freeze all");
  ParameterStore other;
  refused({{parameter(graph, other, "v", {3}, zeros()), g}}, {}, "'v' is not of the store");
}

TEST_CASE("frozen parameters are left out of the norm, whoever made the gradients") {
  ParameterStore store;
  Graph graph;
  const Value frozen = parameter(graph, store, "frozen", {1}, constant_value(1));
  const Value free = parameter(graph, store, "free", {1}, constant_value(1));
  const std::vector<ParameterGradient> gradients{{frozen, full(graph, {f32, {1}}, 100)},
                                                 {free, full(graph, {f32, {1}}, 1)}};
  const Updates updates = apply_gradients(
      gradients, store, sgd({.learning_rate = 0.5, .clip_norm = 1}, {.rate_multipliers = {{"frozen", 0}}}));
  Program program = compile(graph, {updates, updates.gradient_norm});
  CHECK(program.run()[1].item() == 1);
  CHECK(store.find("frozen")->value.item() == 1);
  CHECK(store.find("free")->value.item() == doctest::Approx(0.5));
}

}  // namespace
}  // namespace eddy::test
