// SPDX-License-Identifier: Apache-2.0
// Every error of graph and program names what was found, what was expected and the user's line.
#include <doctest/doctest.h>

#include <functional>

#include "eddy/graph/builtin.h"
#include "eddy/graph/gradient.h"
#include "eddy/graph/program.h"
#include "eddy/graph/variable.h"
#include "eddy/ops/add.h"
#include "eddy/ops/log.h"
#include "eddy/ops/matmul.h"
#include "eddy/ops/mul.h"
#include "eddy/ops/one_hot.h"
#include "eddy/ops/scan.h"
#include "eddy/ops/square.h"
#include "eddy/ops/sum.h"
#include "tests/support/probe_ops.h"

namespace eddy::test {
namespace {

std::string message_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const GraphError& error) {
    return error.what();
  }
  return "no error";
}

void check_parts(const std::string& message, const std::vector<std::string>& parts) {
  INFO(message);
  for (const std::string& part : parts) {
    INFO("should contain ", part);
    CHECK(message.find(part) != std::string::npos);
  }
}

std::string at_line(unsigned line) { return fmt::format("tests/graph/test_errors.cpp:{}", line); }

TEST_CASE("errors: shapes that do not fit name op, shapes, file, line and scope") {
  Graph graph;
  const Value x = graph.input("x", f32, {32, 128});
  const Value w = graph.input("w", f32, {256, 512});
  unsigned line = 0;
  const std::string message = message_of([&] {
    const NameScope outer(graph, "encoder");
    const NameScope inner(graph, "layer0");
    line = __LINE__ + 1;
    matmul(x, w);
  });
  check_parts(message, {"[matmul]", "f32[32,128]", "f32[256,512]", at_line(line), "scope encoder/layer0"});
}

TEST_CASE("errors: a loop's step is in the scope around the loop") {
  Graph graph;
  const Value x = graph.input("x", f32, {5, 2, 3});
  const Value w = graph.input("w", f32, {4, 4});
  const NameScope scope(graph, "encoder");
  const std::string message = message_of(
      [&] { scan([&](Value step, const State&) -> Step { return {.output = matmul(step, w)}; }, x, State{}); });
  check_parts(message, {"[matmul]", "f32[2,3]", "f32[4,4]", "scope encoder"});
}

TEST_CASE("errors: a gradient by a value around the step says how it is meant") {
  Graph graph;
  const Value x = graph.input("x", f32, {5, 3});
  const Value w = graph.input("w", f32, {3});
  const auto slopes = [&](bool imported) {
    return scan(
               [&](Value step, const State&) -> Step {
                 const Value loss = sum(square(step * w));
                 return {.output = dense_gradient(loss, imported ? loss.graph().import(w) : w)};
               },
               x, State{})
        .output;
  };
  check_parts(message_of([&] { slopes(false); }), {"[gradients]", "f32[3]", "loss.graph().import(value)"});
  Program program = compile(graph, {slopes(true)});
  const Tensor rows(f32, {5, 3}), weights(f32, {3});
  for (std::size_t i = 0; i < 15; ++i) rows.values<float>()[i] = static_cast<float>(i) - 7;
  for (std::size_t i = 0; i < 3; ++i) weights.values<float>()[i] = static_cast<float>(i) + 0.5F;
  const auto found = program.run({{"x", rows}, {"w", weights}})[0].values<const float>();
  for (std::size_t i = 0; i < 15; ++i) {
    const float row = rows.values<float>()[i];
    CHECK(found[i] == doctest::Approx(2 * row * row * weights.values<float>()[i % 3]));
  }
}

TEST_CASE("errors: operators name the user's line too") {
  Graph graph;
  const Value x = graph.input("x", f32, {3, 4});
  const Value y = graph.input("y", f32, {5});
  unsigned line = 0;
  const std::string message = message_of([&] {
    line = __LINE__ + 1;
    x + y;
  });
  check_parts(message, {"[add]", "[3,4]", "[5]", at_line(line)});
  CHECK(message.find("scope") == std::string::npos);
}

TEST_CASE("errors: empty values and values of another graph") {
  Graph graph;
  Graph other;
  const Value x = graph.input("x", f32, {2});
  const Value y = other.input("y", f32, {2});
  check_parts(message_of([&] { x + y; }), {"[add]", "another graph", at_line(__LINE__)});
  check_parts(message_of([&] { x + Value(); }), {"[add]", "empty", at_line(__LINE__)});
  CHECK_THROWS_AS(Value().type(), GraphError);
}

TEST_CASE("errors: an input name taken twice") {
  Graph graph;
  graph.input("tokens", f32, {2});
  check_parts(message_of([&] { graph.input("tokens", f32, {2}); }), {"[input]", "'tokens'", at_line(__LINE__)});
}

TEST_CASE("errors: a variable asked for with another type") {
  Graph graph;
  ParameterStore store;
  parameter(graph, store, "lstm/w", {2, 3}, zeros());
  const TensorType type{f32, {3, 2}};
  const std::vector<std::string> parts = {"[variable]", "lstm/w", "f32[2,3]", "f32[3,2]"};
  const std::string of_graph = message_of([&] { parameter(graph, store, "lstm/w", type.shape, zeros()); });
  check_parts(of_graph, parts);
  check_parts(of_graph, {at_line(__LINE__ - 2)});
  const std::string of_store = message_of([&] { store.get("lstm/w", type, zeros()); });
  check_parts(of_store, parts);
  check_parts(of_store, {at_line(__LINE__ - 2)});
}

/// An op whose gradient rule throws what it is told to.
struct Refusing final : OpClass<Refusing> {
  static constexpr std::string_view kName = "refusing";
  GraphError error;
  explicit Refusing(GraphError e) : error(std::move(e)) {}
  static void attributes(auto& op, auto&& visit) { visit("message", op.error.sentence()); }
  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override { return {inputs[0]}; }
  std::vector<Gradient> gradient(const GradientContext&) const override { throw error; }
  Kernel make_kernel(const KernelContext&) const override { return {}; }
};

TEST_CASE("errors: a gradient rule that throws names op and forward line, once") {
  Graph graph;
  const Value x = graph.input("x", f32, {});
  const auto message = [&](const GraphError& of_rule) {
    const Value y = add_node(graph, Refusing(of_rule), {x}, SourceLocation::current("model.cpp", 7));
    return message_of([&] { gradients(y + 1, {x}); });
  };
  CHECK(message(GraphError("no")) == "[refusing] no  (model.cpp:7)");
  CHECK(message({"layer", "no", {}}) == "[layer] no  (model.cpp:7)");
  CHECK(message({"layer", "no", {"other.cpp", 3, "a"}}) == "[layer] no  (other.cpp:3, scope a)");
  const NameScope scope(graph, "encoder");
  CHECK(message(GraphError("no  (sic)")) == "[refusing] no  (sic)  (model.cpp:7, scope encoder)");
  CHECK(message(GraphError("[0,0] is no permutation")) ==
        "[refusing] [0,0] is no permutation  (model.cpp:7, scope encoder)");
}

TEST_CASE("errors: op, sentence and line can be read apart, whatever the sentence looks like") {
  const GraphError plain("no");
  CHECK(plain.what() == std::string("no"));
  CHECK(plain.op() == "");
  CHECK(plain.origin().file.empty());
  const GraphError whole = plain.within("add", {"model.cpp", 7, "a/b"});
  CHECK(whole.what() == std::string("[add] no  (model.cpp:7, scope a/b)"));
  CHECK(whole.op() == "add");
  CHECK(whole.sentence() == "no");
  CHECK(whole.origin().line == 7);
  CHECK(whole.within("mul", {"other.cpp", 3, ""}).what() == std::string(whole.what()));
  CHECK(GraphError("add", "no", {}).within("mul", {"other.cpp", 3, ""}).what() ==
        std::string("[add] no  (other.cpp:3)"));
  Graph graph;
  const Value x = graph.input("x", f32, {3, 4});
  try {
    x + graph.input("y", f32, {5});
    FAIL("4 columns and 5 were added");
  } catch (const GraphError& error) {
    CHECK(error.op() == "add");
    CHECK(error.origin().file.ends_with("tests/graph/test_errors.cpp"));
    CHECK(error.sentence() == "shapes [3,4] and [5] do not broadcast: sizes 4 and 5 differ");
  }
}

TEST_CASE("errors: a kernel's error names its op once") {
  Graph graph;
  const Value ids = graph.input("ids", i32, {2});
  const unsigned line = __LINE__ + 1;
  Program program = compile(graph, {one_hot(ids, 3)});
  const Tensor wrong = Tensor::from<std::int32_t>({0, 3}, {2});
  CHECK(message_of([&] {
          program.run({{"ids", wrong}});
        }) == fmt::format("[one_hot] index 3 at position 1 is not below the depth 3  ({}:{})", __FILE__, line));
}

TEST_CASE("errors: what library code builds within an origin scope answers to its line, the outermost scope's") {
  Graph graph;
  Graph other;
  const Value x = graph.input("x", f32, {2}), y = graph.input("y", f32, {3}), z = other.input("z", f32, {2});
  const auto origin_of = [](const Value& value) { return to_string(value.graph().node(value.node()).origin); };
  const auto inner = [&] {
    const OriginScope scope(SourceLocation::current("inner.cpp", 2));
    const NameScope name(graph, "layer");
    return x * 2;
  };
  {
    const OriginScope scope(SourceLocation::current("outer.cpp", 1));
    CHECK(origin_of(inner()) == "(outer.cpp:1, scope layer)");
    CHECK(origin_of(z * 2) == "(outer.cpp:1)");
    CHECK(message_of([&] { x + y; }).ends_with("(outer.cpp:1)"));
    CHECK(message_of([&] { x + Value(); }).ends_with("(outer.cpp:1)"));
    const OriginScope pinned(graph, {"node.cpp", 3, "copied"});
    CHECK(origin_of(inner()) == "(node.cpp:3, scope copied)");
  }
  CHECK(origin_of(inner()) == "(inner.cpp:2, scope layer)");
  CHECK(origin_of(x * 2) == "(" + std::string(__FILE__) + ":" + std::to_string(__LINE__) + ")");
}

TEST_CASE("errors: bindings that are missing, unknown or of the wrong type") {
  Graph graph;
  const Value x = graph.input("x", f32, {2});
  const Value mask = graph.input("mask", f32, {2});
  graph.input("spare", f32, {1});
  Program program = compile(graph, {x * mask});
  const Tensor two(f32, {2});
  check_parts(message_of([&] { program.run({{"x", two}}); }), {"'mask'", "f32[2]", "not bound"});
  check_parts(message_of([&] {
                program.run({{"x", two}, {"mask", Tensor(f32, {3})}});
              }),
              {"'mask'", "f32[2]", "f32[3]"});
  check_parts(message_of([&] { program.run({{"x", two}, {"mask", Tensor(i32, {2})}}); }), {"'mask'", "i32[2]"});
  check_parts(message_of([&] { program.run({{"x", two}, {"mask", two}, {"msk", two}}); }), {"'msk'", "x", "mask"});
  CHECK_NOTHROW(program.run({{"x", two}, {"mask", two}, {"spare", Tensor(f32, {1})}}));
}

TEST_CASE("errors: a kernel that fails at run time names op and line, and the program runs on") {
  Graph graph;
  const Value table = graph.input("table", f32, {3, 2});
  const Value ids = graph.input("ids", i32, {2});
  const unsigned line = __LINE__ + 1;
  Program program = compile(graph, {gather_rows(table, ids)});
  const Tensor table_value(f32, {3, 2});
  const auto run = [&](std::int32_t id) {
    program.run({{"table", table_value}, {"ids", Tensor::from<std::int32_t>({0, id}, {2})}});
  };
  check_parts(message_of([&] { run(3); }), {"[gather_rows]", "index 3", "position 1", "3 rows", at_line(line)});
  CHECK_NOTHROW(run(2));
}

TEST_CASE("errors: check_finite names the first node that yields NaN") {
  Graph graph;
  const Value x = graph.input("x", f32, {2});
  const unsigned line = __LINE__ + 1;
  const Value bad = log(x);
  Program program = compile(graph, {bad * 2}, {.check_finite = true});
  const auto run = [&](float value) { program.run({{"x", Tensor::from<float>({1, value}, {2})}}); };
  check_parts(message_of([&] { run(-1); }), {"[log]", "nan", "element 1", at_line(line)});
  CHECK_NOTHROW(run(1));
}

TEST_CASE("errors: a variable cannot be written twice from the same old value, nor something else than a variable") {
  Graph graph;
  ParameterStore store;
  const Value w = parameter(graph, store, "w", {2}, zeros());
  const Value first = assign(w, w + 1);
  const unsigned line = __LINE__ + 1;
  const Value second = assign(w, w + 2);
  check_parts(message_of([&] { compile(graph, {first, second}); }), {"[assign]", "already", at_line(line)});

  const Value x = graph.input("x", f32, {2});
  const Value wrong = assign(copy_of(x), x);
  check_parts(message_of([&] { compile(graph, {wrong}); }), {"[assign]", "variable", at_line(__LINE__ - 1)});
  check_parts(message_of([&] { assign(w, graph.input("y", f32, {3})); }), {"f32[2]", "f32[3]", at_line(__LINE__)});
}

TEST_CASE("errors: an old value read by what needs the new one is a cycle") {
  Graph graph;
  ParameterStore store;
  const Value w = parameter(graph, store, "w", {2}, zeros());
  const Value updated = assign(w, w + 1);
  const unsigned line = __LINE__ - 1;
  const Value both = opaque(w) + updated;  // fine: the old value is copied first
  CHECK_NOTHROW(compile(graph, {both}));
  const Value late = add_n({w, updated});
  check_parts(message_of([&] { compile(graph, {late}); }), {"[assign]", at_line(line)});
}

TEST_CASE("errors: results that are empty or of another graph") {
  Graph graph;
  Graph other;
  CHECK_THROWS_AS(compile(graph, {Value()}), GraphError);
  CHECK_THROWS_AS(compile(graph, {other.input("x", f32, {1})}), GraphError);
}

}  // namespace
}  // namespace eddy::test
