// SPDX-License-Identifier: Apache-2.0
// Numbers that formulas right on paper lose: large logits, ignored infinities, powers of zero, large integers; and
// derivatives above the second.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "eddy/graph/builtin.h"
#include "eddy/graph/gradient.h"
#include "eddy/graph/program.h"
#include "eddy/ops/add.h"
#include "eddy/ops/argmax.h"
#include "eddy/ops/cross_entropy.h"
#include "eddy/ops/layer_norm.h"
#include "eddy/ops/linear_cross_entropy.h"
#include "eddy/ops/log_softmax.h"
#include "eddy/ops/logsumexp.h"
#include "eddy/ops/masked_linear.h"
#include "eddy/ops/mul.h"
#include "eddy/ops/pow.h"
#include "eddy/ops/sampled_softmax.h"
#include "eddy/ops/slice.h"
#include "eddy/ops/sub.h"
#include "eddy/ops/sum.h"
#include "eddy/ops/tanh.h"
#include "eddy/ops/top_k.h"
#include "tests/support/arrays.h"

namespace eddy::test {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

Tensor floats(const std::vector<float>& values, const Shape& shape) { return Tensor::from(values, shape); }
std::vector<double> numbers(const Tensor& tensor) { return to_doubles(tensor); }

TEST_CASE("losses keep their digits however large the logits are") {
  for (const float base : {0.0F, 1e3F, -1e5F, 1e7F}) {
    CAPTURE(base);
    Graph graph;
    const Value x = graph.input("x", f32, {1, 2});
    const Value target = graph.constant(Tensor::from<std::int32_t>({0}, {1}));
    const Value loss = cross_entropy(x, target);
    const std::vector<Value> wrt{x};
    Program program = compile(graph, {log_softmax(x), loss, dense_gradients(loss, wrt)[0]});
    const auto results = copies(program.run({{"x", floats({base, base + 2}, {1, 2})}}));
    const double expected = std::log1p(std::exp(2.0));
    CHECK(numbers(results[0])[0] == doctest::Approx(-expected).epsilon(1e-6));
    CHECK(numbers(results[0])[1] == doctest::Approx(2 - expected).epsilon(1e-6));
    CHECK(numbers(results[1])[0] == doctest::Approx(expected).epsilon(1e-6));
    CHECK(numbers(results[2])[1] == doctest::Approx(1 / (1 + std::exp(-2.0))).epsilon(1e-6));
  }
}

TEST_CASE("the third derivative of cross-entropy is whole") {
  Graph graph;
  const Value x = graph.input("x", f32, {1, 2});
  const Value target = graph.constant(Tensor::from<std::int32_t>({0}, {1}));
  const std::vector<Value> wrt{x};
  Value derivative = cross_entropy(x, target);
  for (int order = 0; order < 3; ++order) derivative = slice(dense_gradients(sum(derivative), wrt)[0], 1, 0, 1);
  Program program = compile(graph, {derivative});
  const double p = 1 / (1 + std::exp(-0.7));
  // Of -log p with respect to the first logit: p - 1, p (1 - p), p (1 - p) (1 - 2 p).
  CHECK(numbers(program.run({{"x", floats({0.7F, 0}, {1, 2})}})[0])[0] ==
        doctest::Approx(p * (1 - p) * (1 - 2 * p)).epsilon(1e-5));
}

TEST_CASE("ignored rows of a loss may hold anything, to the second order") {
  Graph graph;
  const Value x = graph.input("x", f32, {2, 2});
  const Value target = graph.constant(Tensor::from<std::int32_t>({0, -1}, {2}));
  const std::vector<Value> wrt{x};
  const Value first = dense_gradients(cross_entropy(x, target), wrt)[0];
  Program program = compile(graph, {first, dense_gradients(sum(first * first), wrt)[0]});
  const auto results = copies(program.run({{"x", floats({1, 2, kInfinity, 0}, {2, 2})}}));
  for (const Tensor& result : results) {
    CHECK(numbers(result)[0] != 0);
    CHECK(numbers(result)[2] == 0);
    CHECK(numbers(result)[3] == 0);
  }
}

TEST_CASE("rows without weight may hold anything, and weights that cancel make no loss, to the second order") {
  Graph graph;
  const Value x = graph.input("x", f32, {2, 2});
  const Value weights = graph.input("weights", f32, {2});
  const Value target = graph.constant(Tensor::from<std::int32_t>({0, 1}, {2}));
  const std::vector<Value> wrt{x};
  const Value slopes = graph.constant(floats({1, 2, 3, 4}, {2, 2}));
  const Value loss = cross_entropy(x, target, {.weights = weights});
  const Value first = dense_gradients(loss, wrt)[0];
  Program program = compile(graph, {first, dense_gradients(sum(first * slopes), wrt)[0], loss});
  const auto run = [&](const std::vector<float>& logits, const std::vector<float>& weight) {
    return copies(program.run({{"x", floats(logits, {2, 2})}, {"weights", floats(weight, {2})}}));
  };
  const auto some = run({1, 2, kInfinity, 0}, {1, 0});
  CHECK(numbers(some[0])[0] != 0);
  CHECK(numbers(some[1])[0] != 0);
  CHECK(std::isfinite(numbers(some[1])[0]));
  CHECK(numbers(some[0])[3] == 0);
  CHECK(numbers(some[1])[3] == 0);
  const auto none = run({1, 2, 3, 0}, {1, -1});
  CHECK(numbers(none[2])[0] == 0);
  for (int order = 0; order < 2; ++order)
    CHECK(numbers(none[static_cast<std::size_t>(order)]) == std::vector<double>(4, 0.0));
}

TEST_CASE("a masked layer of no columns has the bias alone where it is not masked") {
  Graph graph;
  const Value x = graph.input("x", f32, {3, 0});
  const Value w = graph.input("w", f32, {0, 2});
  const Value bias = graph.constant(floats({5, 6}, {2}));
  const Value mask = graph.constant(floats({1, 0, 1}, {3}));
  Program program = compile(graph, {masked_linear(x, w, bias, mask)});
  CHECK(numbers(program.run({{"x", Tensor(f32, {3, 0})}, {"w", Tensor(f32, {0, 2})}})[0]) ==
        std::vector<double>{5, 6, 0, 0, 5, 6});
}

TEST_CASE("a loss has no gradient with respect to its weights, nor has its gradient") {
  Graph graph;
  const Value x = graph.input("x", f32, {1, 2});
  const Value w = graph.input("w", f32, {1});
  const Value target = graph.constant(Tensor::from<std::int32_t>({0}, {1}));
  const Value loss = cross_entropy(x, target, {.weights = w});
  const std::vector<Value> wrt_x{x}, wrt_w{w};
  CHECK_THROWS_WITH_AS(dense_gradients(loss, wrt_w), doctest::Contains("weights"), GraphError);
  const Value first = sum(dense_gradients(loss, wrt_x)[0] * x);
  CHECK_THROWS_WITH_AS(dense_gradients(first, wrt_w), doctest::Contains("weights"), GraphError);
}

TEST_CASE("a loss over a table of no columns has the bias alone") {
  Graph graph;
  const Value hidden = graph.input("hidden", f32, {4, 0});
  const Value table = graph.input("table", f32, {300, 0});
  const Value bias = graph.input("bias", f32, {300});
  const Value target = graph.constant(Tensor(i32, {4}));
  const Value weights = full(graph, {f32, {4}}, 0.25F);
  const Value loss = linear_cross_entropy(hidden, table, bias, target, weights);
  const std::vector<Value> wrt{table, bias};
  std::vector<Value> values = dense_gradients(loss, wrt);
  values.push_back(loss);
  Program program = compile(graph, values);
  const auto results = copies(
      program.run({{"hidden", Tensor(f32, {4, 0})}, {"table", Tensor(f32, {300, 0})}, {"bias", Tensor(f32, {300})}}));
  CHECK(numbers(results[2])[0] == doctest::Approx(std::log(300.0)));
  CHECK(numbers(results[1])[0] == doctest::Approx(1.0 / 300 - 1));
}

TEST_CASE("costs count the elements that are read, and an exponential alike everywhere") {
  Graph graph;
  const Value x = graph.input("x", f32, {20, 30});
  const Value ids = graph.input("ids", i32, {30});
  const Value targets = graph.input("targets", i32, {20});
  const auto flops = [&](const Value& value) { return compile(graph, {value}).cost().flops; };
  CHECK(flops(negatives_log_sum_exp(x, ids, targets)) == flops(logsumexp(x)));
  CHECK(flops(cross_entropy(x, targets)) == flops(logsumexp(x)));
  CHECK(flops(argmax(x)) == 600);
  CHECK(flops(top_k(x, 2).values) == 600);
}

TEST_CASE("gradients of powers of zero and of negative numbers") {
  Graph graph;
  const Value base = graph.input("base", f32, {4});
  const Value exponent = graph.input("exponent", f32, {4});
  const std::vector<Value> wrt{base, exponent};
  Program program = compile(graph, dense_gradients(sum(pow(base, exponent)), wrt));
  const auto results =
      copies(program.run({{"base", floats({0, 0, -1, 0}, {4})}, {"exponent", floats({0, -1, 0.5F, 2}, {4})}}));
  CHECK(numbers(results[0])[0] == 0);
  CHECK(numbers(results[0])[1] == -kInfinity);
  CHECK(std::isnan(numbers(results[0])[2]));
  CHECK(numbers(results[0])[3] == 0);
  CHECK(numbers(results[1]) == std::vector<double>{0, 0, 0, 0});
}

TEST_CASE("numbers beside integers are exact") {
  Graph graph;
  const Value x = graph.input("x", i32, {1});
  Program program = compile(graph, {x + 16777217, x - 2147483647});
  const auto results = copies(program.run({{"x", Tensor::from<std::int32_t>({1}, {1})}}));
  CHECK(results[0].values<const std::int32_t>()[0] == 16777218);
  CHECK(results[1].values<const std::int32_t>()[0] == -2147483646);
  CHECK_THROWS_WITH_AS(x + 3e9, doctest::Contains("does not go with i32[1]"), GraphError);
  CHECK_THROWS_WITH_AS(x + 0.5, doctest::Contains("0.5"), GraphError);
}

TEST_CASE("an operand passed twice is not overwritten before it is read") {
  for (const bool in_place : {true, false}) {
    CAPTURE(in_place);
    Graph graph;
    const Value x = graph.input("x", f32, {3, 2});
    const Value rows = x * 2;
    const Value ids = graph.constant(Tensor::from<std::int32_t>({1, 2, 0}, {3}));
    const Value y = graph.input("y", f32, {5});
    const Value h = tanh(y);
    Program program =
        compile(graph, {scatter_add(rows, {3, 2}, ids, rows), layer_norm(h, h, h)}, {.in_place = in_place});
    const auto results =
        copies(program.run({{"x", floats({1, 2, 3, 4, 5, 6}, {3, 2})}, {"y", floats({0.5F, 1, 1.5F, -2, 0.1F}, {5})}}));
    CHECK(numbers(results[0]) == std::vector<double>{12, 16, 8, 12, 16, 20});
    std::vector<double> plain;
    double mean = 0, variance = 0;
    for (const double v : {0.5, 1.0, 1.5, -2.0, 0.1}) plain.push_back(std::tanh(v));
    for (const double v : plain) mean += v / 5;
    for (const double v : plain) variance += (v - mean) * (v - mean) / 5;
    for (std::size_t i = 0; i < 5; ++i)
      CHECK(numbers(results[1])[i] ==
            doctest::Approx((plain[i] - mean) / std::sqrt(variance + 1e-5) * plain[i] + plain[i]).epsilon(1e-4));
  }
}

TEST_CASE("sums of terms and rows are of f32") {
  Graph graph;
  const Value flags = graph.input("flags", boolean, {64});
  const Value counts = graph.input("counts", i32, {2, 2});
  const Value rows = graph.input("rows", f32, {1, 2});
  const Value ids = graph.input("ids", i32, {1});
  CHECK_THROWS_WITH_AS(add_n({flags, flags}), doctest::Contains("f32, not bool[64]"), GraphError);
  CHECK_THROWS_WITH_AS(scatter_add(counts, {2, 2}, ids, rows), doctest::Contains("i32[2,2] is not f32[2,2]"),
                       GraphError);
}

}  // namespace
}  // namespace eddy::test
