// SPDX-License-Identifier: Apache-2.0
// What op cases cannot say of the ops that move and multiply: what is folded, what is a view, what is refused.
#include <doctest/doctest.h>

#include "eddy/graph/builtin.h"
#include "eddy/graph/program.h"
#include "eddy/ops/add.h"
#include "eddy/ops/concat.h"
#include "eddy/ops/cross_entropy.h"
#include "eddy/ops/embedding.h"
#include "eddy/ops/gather_along.h"
#include "eddy/ops/linear.h"
#include "eddy/ops/matmul.h"
#include "eddy/ops/mul.h"
#include "eddy/ops/reshape.h"
#include "eddy/ops/reverse.h"
#include "eddy/ops/scan.h"
#include "eddy/ops/slice.h"
#include "eddy/ops/softmax.h"
#include "eddy/ops/transpose.h"
#include "tests/support/arrays.h"

namespace eddy::test {
namespace {

TEST_CASE("a transpose that feeds a product becomes a flag of it, with the same values") {
  Graph graph;
  const Value a = graph.input("a", f32, {2, 3, 4});
  const Value b = graph.input("b", f32, {2, 3, 5});
  const Value w = graph.input("w", f32, {6, 5});
  const Value bias = graph.input("bias", f32, {6});
  const Value y = linear(matmul(transpose(a), b), transpose(w), bias);
  Philox random(1);
  const std::vector<Tensor> data{random_tensor(a.type(), random), random_tensor(b.type(), random),
                                 random_tensor(w.type(), random), random_tensor(bias.type(), random)};
  const std::vector<Binding> bound{{"a", data[0]}, {"b", data[1]}, {"w", data[2]}, {"bias", data[3]}};
  Program folded = compile(graph, {y});
  Program plain = compile(graph, {y}, {.passes = {.simplify = false}});
  CHECK(folded.instruction_count() == 2);
  CHECK(plain.instruction_count() == 4);
  CHECK(difference(folded.run(bound), copies(plain.run(bound)), 1e-6) == "");
}

TEST_CASE("moves that cancel out cost nothing") {
  Graph graph;
  const Value x = graph.input("x", i32, {3, 1, 4});
  const Value same = transpose(transpose(x, {2, 0, 1}), {1, 2, 0});
  CHECK(compile(graph, {same}).instruction_count() <= 1);  // at most the copy of an input into a result
  const Value turned = reverse(reverse(same, 2), 2);
  CHECK(compile(graph, {turned}).instruction_count() <= 1);
  const Value moved = transpose(x, {1, 0, 2});
  CHECK(compile(graph, {reshape(moved, {12})}).instruction_count() <= 1);
}

TEST_CASE("rows through one matrix are one product") {
  Graph graph;
  const Value x = graph.input("x", f32, {7, 5, 4});
  const Value w = graph.input("w", f32, {4, 6});
  Program program = compile(graph, {matmul(x, w)});
  CHECK(program.instruction_count() == 1);
  CHECK(program.cost().flops == 2.0 * 7 * 5 * 4 * 6);
}

TEST_CASE("a few rows times a large table are the same inside a loop and outside") {
  constexpr std::int64_t kTime = 3, kSize = 64;
  for (const std::int64_t rows : {1, 3, 6})
    for (const std::int64_t classes : {100, 9000}) {
      Graph graph;
      const Value x = graph.input("x", f32, {kTime, rows, kSize}), table = graph.input("table", f32, {classes, kSize}),
                  bias = graph.input("bias", f32, {classes});
      const Value state = full(graph, {f32, {rows, kSize}}, 0.5F);
      // The next state depends on the product, which therefore stays in the loop.
      const auto logits_of = [&](Value h) { return linear(h, table, bias, {.transpose_w = true}); };
      const auto next_of = [&](Value step, Value logits) { return step + matmul(softmax(logits, 1), table) * 0.5F; };
      const ScanResult looped = scan(
          [&](Value step, const State& before) -> Step {
            const Value logits = logits_of(before["h"]);
            return {.output = logits, .state = {{"h", next_of(step, logits)}}};
          },
          x, {{"h", state}});
      std::vector<Value> outside;
      Value h = state;
      for (std::int64_t t = 0; t < kTime; ++t) {
        outside.push_back(logits_of(h));
        h = next_of(reshape(slice(x, 0, t, t + 1), {rows, kSize}), outside.back());
      }
      Philox random(2);
      const std::vector<Tensor> data{random_tensor(x.type(), random), random_tensor(table.type(), random),
                                     random_tensor(bias.type(), random)};
      const std::vector<Binding> bound{{"x", data[0]}, {"table", data[1]}, {"bias", data[2]}};
      Program in_loop = compile(graph, {looped.output}), unrolled = compile(graph, {stack(outside, 0)});
      // Sums of 9,000 terms in another order, twice through a softmax.
      CHECK(difference(in_loop.run(bound), copies(unrolled.run(bound)), 1e-3) == "");
    }
}

TEST_CASE("shape errors carry the values") {
  Graph graph;
  const Value x = graph.input("x", f32, {32, 128});
  const Value w = graph.input("w", f32, {256, 512});
  const auto message = [](const char* text) { return doctest::Contains(text); };
  CHECK_THROWS_WITH_AS(matmul(x, w), message("inner sizes differ: a is f32[32,128], b is f32[256,512]"), GraphError);
  CHECK_THROWS_WITH_AS(reshape(x, {5, -1}), message("f32[32,128] cannot become [5,-1]"), GraphError);
  CHECK_THROWS_WITH_AS(reshape(x, {-1, -1}), message("only one size may be -1"), GraphError);
  CHECK_THROWS_WITH_AS(transpose(x, {0, 0}), message("[0,0] does not name each axis"), GraphError);
  CHECK_THROWS_WITH_AS(slice(x, 1, 100, 129), message("positions 100 to 129 do not lie within axis 1"), GraphError);
  CHECK_THROWS_WITH_AS(split(x, 3, 1), message("does not divide into 3 parts"), GraphError);
  CHECK_THROWS_WITH_AS(concat({x, w}, 0), message("f32[32,128] and f32[256,512] do not join along axis 0"), GraphError);
  CHECK_THROWS_WITH_AS(linear(x, w, w), message("inner sizes differ: x is f32[32,128], w is f32[256,512]"), GraphError);
  CHECK_THROWS_WITH_AS(squeeze(x, 0), message("axis 0 of f32[32,128] has size 32, not 1"), GraphError);
}

TEST_CASE("builder functions name the op and the user's line") {
  Graph graph;
  const Value x = graph.input("x", f32, {4, 6, 3});
  const Value w = graph.input("w", f32, {2, 5});
  const auto all = [](const std::string& op, const std::string& what) {
    return [op, what](const auto& call) {
      try {
        call();
      } catch (const GraphError& error) {
        const std::string text = error.what();
        INFO(text);
        CHECK(text.find("[" + op + "] " + what) == 0);
        CHECK(text.find("test_matrix_ops.cpp:") != std::string::npos);
        return;
      }
      FAIL("nothing was thrown");
    };
  };
  all("squeeze", "axis 3 is out of range for f32[4,6,3]")([&] { squeeze(x, 3); });
  all("reshape", "f32[4,6,3] cannot become [5,-1]")([&] { reshape(x, {5, -1}); });
  all("reverse", "axis -4 is out of range")([&] { reverse(x, -4); });
  all("concat", "axis 3 is out of range")([&] { concat({x, x}, 3); });
  all("at", "position 4 is out of range")([&] { at(x, 4); });
  all("matmul", "inner sizes differ: a is f32[4,6,3], b is f32[2,5]")([&] { matmul(x, w); });
  all("linear", "inner sizes differ: x is f32[4,6,3], w is f32[2,5]")([&] { linear(x, w, w); });
  all("embedding", "the table must be [vocabulary, size]")([&] { embedding(x, w); });
  all("embedding", "the tokens must be i32, they are f32[4,6,3]")([&] { embedding(w, x); });
  all("reshape", "needs a value of a graph, not the number 2")([&] { reshape(2.0F, {1}); });
  all("transpose", "the argument is an empty value")([&] { transpose(Value()); });
}

TEST_CASE("wrong indices are errors at run time with their position") {
  Graph graph;
  const Value tokens = graph.input("tokens", i32, {3});
  const Value table = graph.constant(Tensor(f32, {4, 2}));
  const Value logits = graph.constant(Tensor(f32, {3, 4}));
  const Binding bad{"tokens", Tensor::from<std::int32_t>({0, 1, 4}, {3})};
  const Value updates = graph.constant(Tensor(f32, {3}));
  for (const Value& value : {embedding(table, tokens), cross_entropy(logits, tokens), pick(logits, tokens),
                             scatter_along(updates, tokens, 0, 4)}) {
    Program program = compile(graph, {value});
    CHECK_THROWS_WITH_AS(program.run({bad}), doctest::Contains("4 at position 2 is out of range"), Error);
  }
}

TEST_CASE("splits of no elements and products of empty operands work") {
  Graph graph;
  const Value x = graph.input("x", f32, {3, 0});
  const Value w = graph.input("w", f32, {0, 2});
  Program program = compile(graph, {matmul(x, w), concat({x, x}, 1), transpose(x)});
  const auto out = program.run({{"x", Tensor(f32, {3, 0})}, {"w", Tensor(f32, {0, 2})}});
  CHECK(out[0].shape() == Shape{3, 2});
  for (const float value : out[0].values<const float>()) CHECK(value == 0);
  CHECK(out[2].shape() == Shape{0, 3});
}

}  // namespace
}  // namespace eddy::test
