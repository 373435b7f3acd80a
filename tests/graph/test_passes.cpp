// SPDX-License-Identifier: Apache-2.0
// Each pass does its work: counted in the kernels that are left.
#include <doctest/doctest.h>

#include "eddy/graph/builtin.h"
#include "eddy/graph/passes.h"
#include "eddy/graph/program.h"
#include "eddy/ops/add.h"
#include "eddy/ops/concat.h"
#include "eddy/ops/matmul.h"
#include "eddy/ops/mul.h"
#include "eddy/ops/neg.h"
#include "eddy/ops/reshape.h"
#include "eddy/ops/slice.h"
#include "eddy/ops/sub.h"
#include "eddy/ops/tanh.h"
#include "eddy/ops/transpose.h"
#include "tests/support/arrays.h"

namespace eddy::test {
namespace {

int kernels(const Graph& graph, const std::vector<Value>& results, const PassSwitches& passes) {
  return compile(graph, results, {.passes = passes}).instruction_count();
}

Tensor ramp_tensor(const Shape& shape) {
  const Tensor tensor(f32, shape);
  float next = -1;
  for (float& x : tensor.values<float>()) x = (next = next > 1 ? next - 2.1F : next + 0.3F);
  return tensor;
}

constexpr PassSwitches kNone{false, false, false, false, false, false};
constexpr PassSwitches kPrune{true, false, false, false, false, false};
constexpr PassSwitches kSimplify{true, true, false, false, false, false};
constexpr PassSwitches kFold{true, false, true, false, false, false};
constexpr PassSwitches kCse{true, false, false, true, false, false};

TEST_CASE("passes: pruning drops what no result needs") {
  Graph graph;
  const Value x = graph.input("x", f32, {3});
  tanh(tanh(x));
  const Value y = x * 2;
  const Lowered pruned = extract(graph, {y}, true);
  const Lowered kept = extract(graph, {y}, false);
  CHECK(kept.graph->size() == pruned.graph->size() + 2);
  CHECK(kernels(graph, {y}, kPrune) == 1);
}

TEST_CASE("passes: equal nodes of equal inputs are merged, and chains of them too") {
  Graph graph;
  const Value x = graph.input("x", f32, {3});
  const Value y = tanh(tanh(x) + 1) + tanh(tanh(x) + 1);
  CHECK(kernels(graph, {y}, kNone) == 7);
  CHECK(kernels(graph, {y}, kCse) == 4);
}

TEST_CASE("passes: ops with different attributes or inputs are not merged") {
  Graph graph;
  const Value x = graph.input("x", f32, {4, 4});
  const Value y = graph.input("y", f32, {4, 4});
  CHECK(kernels(graph, {matmul(x, y), matmul(y, x), matmul(x, y, {.transpose_a = true})}, kCse) == 3);
  CHECK(kernels(graph, {slice(x, 1, 0, 2), slice(x, 1, 1, 3)}, kCse) == 2);
}

TEST_CASE("passes: what depends on constants only is computed at compile time") {
  Graph graph;
  const Value x = graph.input("x", f32, {2});
  const Value c = graph.constant(Tensor::from<float>({1, 2}, {2}));
  const Value y = x * tanh(c + 1);
  CHECK(kernels(graph, {y}, kPrune) == 3);
  CHECK(kernels(graph, {y}, kFold) == 1);
}

TEST_CASE("passes: large constants are not made at compile time") {
  Graph graph;
  const Value big = full(graph, {f32, {1000, 1000}}, 1);
  Program program = compile(graph, {tanh(big + 1)});
  CHECK(program.memory_plan().constant_bytes < 1000 * 1000);
}

TEST_CASE("passes: the clean-up removes neutral operations") {
  Graph graph;
  const Value x = graph.input("x", f32, {3, 4});
  const Value t = tanh(x);
  for (const Value& same :
       {t * 1, t + 0, t - 0, -(-t), 1 * t, transpose(transpose(t)), reshape(t, {3, 4}), add_n({t})}) {
    INFO(graph_text(graph));
    CHECK(kernels(graph, {same}, kSimplify) == 1);
  }
}

TEST_CASE("passes: a transposed operand becomes a flag of the product") {
  Graph graph;
  const Value x = graph.input("x", f32, {3, 4});
  const Value y = graph.input("y", f32, {5, 4});
  const Value product = matmul(x, transpose(y));
  CHECK(kernels(graph, {product}, kPrune) == 2);
  CHECK(kernels(graph, {product}, kSimplify) == 1);
}

TEST_CASE("passes: elementwise ops are fused whatever neighbouring axes an operand repeats along") {
  // Rows that are laid out side by side, rows of their own, and rows of several tiles.
  for (const std::int64_t width : {4, 40, 300, 1100})
    for (const Shape& part : {Shape{3, 5, 2, width}, Shape{2, width}, Shape{1}, Shape{3, 5, 1, 1},
                              Shape{3, 1, 1, width}, Shape{3, 1, 2, width}, Shape{1, 5, 2, 1}}) {
      const Shape whole{3, 5, 2, width};
      Graph graph;
      const Value x = graph.input("x", f32, whole), y = graph.input("y", f32, part);
      const Value z = tanh(x + y) * -x;
      INFO(to_string(part));
      // Along axes apart no rows and columns go: the sum stays alone.
      CHECK(kernels(graph, {z}, {}) == (part == Shape{1, 5, 2, 1} ? 2 : 1));
      const std::vector<Binding> bindings{{"x", ramp_tensor(whole)}, {"y", ramp_tensor(part)}};
      Program fused = compile(graph, {z}), plain = compile(graph, {z}, {.passes = kNone});
      CHECK(difference(copies(fused.run(bindings)), copies(plain.run(bindings)), 0) == "");
    }
}

TEST_CASE("passes: parts of a sum are summed where they are read") {
  for (const std::int64_t width : {4, 40, 300, 1100}) {
    CAPTURE(width);
    const Tensor a_data = ramp_tensor({3, 2 * width}), b_data = ramp_tensor({3, 2 * width}),
                 w_data = ramp_tensor({width, 2});
    const auto check = [&](int expected, auto&& results_of) {
      Graph graph;
      const Value a = graph.input("a", f32, {3, 2 * width}), b = graph.input("b", f32, {3, 2 * width}),
                  w = graph.input("w", f32, {width, 2});
      const std::vector<Value> results = results_of(a, b, w);
      CHECK(kernels(graph, results, {}) == expected);
      Program fused = compile(graph, results), plain = compile(graph, results, {.passes = kNone});
      const std::vector<Binding> bindings{{"a", a_data}, {"b", b_data}, {"w", w_data}};
      CHECK(difference(copies(fused.run(bindings)), copies(plain.run(bindings)), 0) == "");
    };
    const auto two = [](const std::vector<Value>& parts) { return std::vector<Value>{tanh(parts[0]) * parts[1]}; };
    check(1, [&](Value a, Value b, Value) { return two(split(a + b, 2, 1)); });
    check(1, [&](Value a, Value b, Value) { return two(split(tanh(a * 2) + b, 2, 1)); });
    const auto halves = [&](Value x) { return std::vector<Value>{slice(x, 1, 0, width), slice(x, 1, width)}; };
    check(1, [&](Value a, Value b, Value) { return two(halves(a + b)); });
    // Wanted whole, too; overlapping parts; a part for a product: these stay as they are.
    check(2, [&](Value a, Value b, Value) {
      const Value sum = a + b;
      return std::vector<Value>{two(halves(sum))[0], sum};
    });
    check(2, [&](Value a, Value b, Value) {
      const Value sum = a + b;
      return two({slice(sum, 1, 0, width + 1), slice(sum, 1, 1, width + 2)});
    });
    check(5, [&](Value a, Value b, Value w) {
      const std::vector<Value> parts = halves(a + b);
      return std::vector<Value>{tanh(parts[0]), matmul(parts[1], w)};
    });
    // A sum of more terms than a fused op takes would leave copies of its parts.
    check(2, [&](Value a, Value b, Value) {
      std::vector<Value> terms;
      for (int i = 0; i < 20; ++i) terms.push_back(i % 2 == 0 ? a : b);
      return two(split(add_n(terms), 2, 1));
    });
    // Parts made anew and joined again, read and written in place.
    check(1, [&](Value a, Value, Value) {
      const std::vector<Value> parts = split(a, 2, 1);
      return std::vector<Value>{concat({tanh(parts[1]) * parts[0], tanh(parts[1])}, 1)};
    });
  }
}

TEST_CASE("passes: every switch can be off, and values stay") {
  Graph graph;
  const Value x = graph.input("x", f32, {2, 2});
  const Value c = graph.constant(Tensor::from<float>({0.5F, -1}, {2}));
  const Value y = tanh(x * 1 + tanh(c)) + tanh(x * 1 + tanh(c));
  const Tensor data = Tensor::from<float>({0.25F, 0.5F, -0.75F, 2}, {2, 2});
  std::vector<Tensor> first;
  for (int bits = 0; bits < 64; ++bits) {
    const PassSwitches passes{(bits & 1) != 0, (bits & 2) != 0,  (bits & 4) != 0,
                              (bits & 8) != 0, (bits & 16) != 0, (bits & 32) != 0};
    Program program = compile(graph, {y}, {.passes = passes});
    const std::vector<Tensor> got = copies(program.run({{"x", data}}));
    if (first.empty()) first = got;
    INFO("switches ", bits);
    CHECK(difference(got, first, 1e-6) == "");
  }
}

TEST_CASE("passes: what is read in reverse order is fused as what is read in order") {
  constexpr int kSteps = 50;
  const auto build = [](Graph& graph, bool reverse) {
    const Value x = graph.input("x", f32, {3, 3}), w = graph.input("w", f32, {3, 3});
    std::vector<Value> early;
    for (int t = 0; t < kSteps; ++t) early.push_back(tanh(matmul(x * (0.01F * static_cast<float>(t)), w) + x));
    Value h = x;
    for (int t = 0; t < kSteps; ++t)
      h = tanh(matmul(h, w) + early[static_cast<std::size_t>(reverse ? kSteps - 1 - t : t)]);
    return h;
  };
  const std::vector<Binding> bindings{{"x", ramp_tensor({3, 3})}, {"w", ramp_tensor({3, 3})}};
  int kernels_in_order = 0;
  for (const bool reverse : {false, true}) {
    INFO("reverse ", reverse);
    Graph graph;
    const Value h = build(graph, reverse);
    Program fused = compile(graph, {h}), plain = compile(graph, {h}, {.passes = kNone});
    CHECK(difference(copies(fused.run(bindings)), copies(plain.run(bindings)), 0) == "");
    if (reverse) CHECK(fused.instruction_count() == kernels_in_order);
    kernels_in_order = fused.instruction_count();
  }
}

TEST_CASE("passes: a pass gives back the graph it finds nothing to do in") {
  Graph graph;
  const Value x = graph.input("x", f32, {2, 2});
  Lowered lowered = extract(graph, {tanh(matmul(x, x)) * graph.constant(3.0F)}, true);
  const Graph* given = lowered.graph.get();
  for (auto* pass : {&prune, &simplify, &fold_constants, &eliminate_common_subexpressions, &separate_updates}) {
    lowered = (*pass)(std::move(lowered));
    CHECK(lowered.graph.get() == given);
    CHECK(lowered.results.size() == 1);
  }
  lowered = lower(std::move(lowered), {});
  CHECK(lowered.graph.get() == given);
}

TEST_CASE("passes: equal constants are merged, whatever their size, and others are not") {
  for (const std::int64_t size : {1, 100000}) {
    INFO("size ", size);
    Graph graph;
    const Value x = graph.input("x", f32, {size});
    const Tensor ones(f32, {size}), others(f32, {size}), whole(i32, {size});
    for (float& number : ones.values<float>()) number = 1;
    others.values<float>()[static_cast<std::size_t>(size) - 1] = 2;
    const Value y = (x + graph.constant(ones)) * (x + graph.constant(ones)) * (x + graph.constant(others));
    const auto constants = [](const Lowered& in) {
      int count = 0;
      for (int id = 0; id < in.graph->size(); ++id) count += in.graph->node(id).op->name() == "constant" ? 1 : 0;
      return count;
    };
    // Of the same bytes, yet of another type.
    const Value zeros = graph.constant(Tensor(f32, {size})), none = graph.constant(whole);
    const Lowered before = extract(graph, {y, zeros, none}, true);
    CHECK(constants(before) == 5);
    CHECK(constants(eliminate_common_subexpressions(extract(graph, {y, zeros, none}, true))) == 4);
  }
}

TEST_CASE("passes: names and lines survive") {
  Graph graph;
  const Value x = graph.input("x", f32, {2});
  const NameScope scope(graph, "head");
  const unsigned line = __LINE__ + 1;
  const Value y = tanh(x);
  const std::string text = compile(graph, {y}).text();
  INFO(text);
  CHECK(text.find(fmt::format("test_passes.cpp:{}", line)) != std::string::npos);
  CHECK(text.find("scope head") != std::string::npos);
}

}  // namespace
}  // namespace eddy::test
