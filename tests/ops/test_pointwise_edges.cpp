// SPDX-License-Identifier: Apache-2.0
// What the op cases do not reach: NaN and infinity, ties, empty and large arrays, clean-up rules, errors.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "eddy/core/threads.h"
#include "eddy/graph/builtin.h"
#include "eddy/graph/gradient.h"
#include "eddy/graph/program.h"
#include "eddy/ops/abs.h"
#include "eddy/ops/add.h"
#include "eddy/ops/argmax.h"
#include "eddy/ops/argmin.h"
#include "eddy/ops/broadcast_to.h"
#include "eddy/ops/cast.h"
#include "eddy/ops/clamp.h"
#include "eddy/ops/compare.h"
#include "eddy/ops/cos.h"
#include "eddy/ops/cumsum.h"
#include "eddy/ops/div.h"
#include "eddy/ops/exp.h"
#include "eddy/ops/expm1.h"
#include "eddy/ops/layer_norm.h"
#include "eddy/ops/log1p.h"
#include "eddy/ops/log_softmax.h"
#include "eddy/ops/logical.h"
#include "eddy/ops/logsumexp.h"
#include "eddy/ops/max.h"
#include "eddy/ops/maximum.h"
#include "eddy/ops/mean.h"
#include "eddy/ops/mean_squared_error.h"
#include "eddy/ops/min.h"
#include "eddy/ops/minimum.h"
#include "eddy/ops/mul.h"
#include "eddy/ops/neg.h"
#include "eddy/ops/one_hot.h"
#include "eddy/ops/pow.h"
#include "eddy/ops/relu.h"
#include "eddy/ops/rounding.h"
#include "eddy/ops/sin.h"
#include "eddy/ops/softmax.h"
#include "eddy/ops/softplus.h"
#include "eddy/ops/square.h"
#include "eddy/ops/sub.h"
#include "eddy/ops/sum.h"
#include "eddy/ops/tanh.h"
#include "eddy/ops/top_k.h"
#include "eddy/ops/where.h"
#include "tests/support/arrays.h"

namespace eddy::test {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

/// The result of `build` on an input, computed by a program (not folded).
template <class T, class Build>
Tensor apply(const std::vector<T>& values, const Shape& shape, Build&& build) {
  Graph graph;
  const Value x = graph.input("x", DTypeOf<T>::value, shape);
  Program program = compile(graph, {build(x)});
  return program.run({{"x", Tensor::from(values, shape)}})[0].clone();
}

template <class T>
std::vector<T> list(const Tensor& tensor) {
  const auto values = tensor.values<const T>();
  return {values.begin(), values.end()};
}

/// The message of the GraphError that `build` throws; empty when it does not.
template <class Build>
std::string message(Build&& build) {
  try {
    build();
  } catch (const GraphError& error) {
    return error.what();
  }
  return {};
}

void check_contains(const std::string& text, std::string_view part) {
  CHECK_MESSAGE(text.find(part) != std::string::npos, "'" << text << "' lacks '" << part << "'");
}

TEST_CASE("NaN goes through maxima, minima and corners") {
  const std::vector<float> x{1, kNaN, -3, 2};
  for (const Tensor& result :
       {apply(x, {4}, [](Value v) { return max(v); }), apply(x, {4}, [](Value v) { return min(v); })})
    CHECK(std::isnan(result.item()));
  for (const bool larger : {true, false}) {
    const auto build = [larger](Value v) { return larger ? maximum(v, 0) : minimum(0, v); };
    CHECK(std::isnan(list<float>(apply(x, {4}, build))[1]));
  }
  CHECK(std::isnan(list<float>(apply(x, {2, 2}, [](Value v) { return max(v, 0); }))[1]));
  CHECK(std::isnan(list<float>(apply(x, {4}, [](Value v) { return clamp(v, -1, 1); }))[1]));
  CHECK(std::isnan(list<float>(apply(x, {4}, [](Value v) { return relu(v); }))[1]));
  CHECK(list<std::int32_t>(apply(x, {4}, [](Value v) { return argmax(v); }))[0] == 1);
  CHECK(list<std::int32_t>(apply(x, {4, 1}, [](Value v) { return argmax(v, 0); }))[0] == 1);
  CHECK(list<std::int32_t>(apply(x, {4}, [](Value v) { return argmin(v); }))[0] == 1);
  CHECK(list<std::int32_t>(apply(x, {4, 1}, [](Value v) { return argmin(v, 0); }))[0] == 1);
  CHECK(list<std::int32_t>(apply(std::vector<float>{1, 5, 2, kNaN, 3, 5}, {3, 2},
                                 [](Value v) { return argmax(v, 0); })) == std::vector<std::int32_t>{2, 1});
  CHECK(list<std::int32_t>(apply(x, {4}, [](Value v) { return top_k(v, 3).indices; })) ==
        std::vector<std::int32_t>{1, 3, 0});
  CHECK(list<std::int32_t>(apply(x, {4}, [](Value v) { return cast(v, i32); })) ==
        std::vector<std::int32_t>{1, 0, -3, 2});
  CHECK(list<bool>(apply(x, {4}, [](Value v) { return equal(v, v); })) == std::vector<bool>{true, false, true, true});
  CHECK(list<bool>(apply(x, {4}, [](Value v) { return not_equal(v, v); })) ==
        std::vector<bool>{false, true, false, false});
}

/// The gradients of sum(build(a, b) * 3) by a and b, of 33 elements each that repeat the given ones.
template <class Build>
std::vector<Tensor> repeated_gradients(const std::vector<float>& a, const std::vector<float>& b, bool fuse,
                                       Build&& build) {
  constexpr std::int64_t kElements = 33;
  const auto repeated = [](const std::vector<float>& few) {
    std::vector<float> values;
    for (std::size_t i = 0; i < kElements; ++i) values.push_back(few[i % few.size()]);
    return Tensor::from(values, {kElements});
  };
  Graph graph;
  const Value left = graph.input("a", f32, {kElements});
  const Value right = graph.input("b", f32, {kElements});
  const std::vector<Value> wrt{left, right};
  Program program = compile(graph, dense_gradients(sum(build(left, right) * 3), wrt), {.passes = {.fuse = fuse}});
  return copies(program.run({{"a", repeated(a)}, {"b", repeated(b)}}));
}

TEST_CASE("corners pass the gradient on where an operand is NaN, as in PyTorch, fused or not") {
  const auto check = [](const std::vector<float>& a, const std::vector<float>& b, auto build,
                        const std::vector<float>& d_a, const std::vector<float>& d_b) {
    for (const bool fuse : {true, false}) {
      const std::vector<Tensor> got = repeated_gradients(a, b, fuse, build);
      for (std::size_t i = 0; i < 33; ++i) {
        CAPTURE(i);
        CHECK(list<float>(got[0])[i] == d_a[i % d_a.size()]);
        CHECK(list<float>(got[1])[i] == d_b[i % d_b.size()]);
      }
    }
  };
  const std::vector<float> a{kNaN, 1, kNaN, 1, 2};
  const std::vector<float> b{1, kNaN, kNaN, 1, 1};
  check(a, b, [](Value x, Value y) { return maximum(x, y); }, {3, 3, 3, 1.5F, 3}, {3, 3, 3, 1.5F, 0});
  check(a, b, [](Value x, Value y) { return minimum(x, y); }, {3, 3, 3, 1.5F, 0}, {3, 3, 3, 1.5F, 3});
  const std::vector<float> x{kNaN, -1, 0, -0.0F, 2, kInfinity, -kInfinity};
  const std::vector<float> slopes{3, 0, 0, 0, 3, 3, 0};
  check(
      x, x, [](Value v, Value w) { return relu(v) + relu(w); }, slopes, slopes);
}

TEST_CASE("functions of one number at their ends, as PyTorch has them") {
  const std::vector<float> x{kInfinity, -kInfinity, kNaN, -0.0F, 1e-39F, -1, -2, 3e38F};
  const auto check = [&](Value (*build)(Operand), const std::vector<float>& expected) {
    const std::vector<float> got = list<float>(apply(x, {8}, [build](Value v) { return build(v); }));
    for (std::size_t i = 0; i < x.size(); ++i) {
      CAPTURE(i);
      if (i == 4) continue;  // denormal: 0 or itself
      if (std::isinf(expected[i])) CHECK(got[i] == expected[i]);
      if (std::isnan(expected[i])) CHECK(std::isnan(got[i]));
      if (std::isfinite(expected[i])) CHECK(got[i] == doctest::Approx(expected[i]).epsilon(1e-6));
      if (expected[i] == 0) CHECK(std::signbit(got[i]) == std::signbit(expected[i]));
    }
    CHECK(std::abs(got[4] - expected[4]) <= 1e-7F);
  };
  const auto f = [](double value) { return static_cast<float>(value); };
  check(sin, {kNaN, kNaN, kNaN, -0.0F, 0, f(std::sin(-1.0)), f(std::sin(-2.0)), f(std::sin(double{3e38F}))});
  check(cos, {kNaN, kNaN, kNaN, 1, 1, f(std::cos(1.0)), f(std::cos(2.0)), f(std::cos(double{3e38F}))});
  check(softplus, {kInfinity, 0, kNaN, 0.69314718F, 0.69314718F, 0.31326169F, 0.12692801F, 3e38F});
  check(log1p, {kInfinity, kNaN, kNaN, -0.0F, 0, -kInfinity, kNaN, f(std::log(double{3e38F}))});
  check(expm1, {kInfinity, -1, kNaN, -0.0F, 0, f(std::expm1(-1.0)), f(std::expm1(-2.0)), kInfinity});
  check(floor, {kInfinity, -kInfinity, kNaN, -0.0F, 0, -1, -2, 3e38F});
  check(round, {kInfinity, -kInfinity, kNaN, -0.0F, 0, -1, -2, 3e38F});
}

TEST_CASE("a power is that of the C library, be its exponent a number or a value") {
  const std::vector<float> x{0, -0.0F, kInfinity, -kInfinity, kNaN, -1, -2.5F, 4, 0.25F};
  const auto size = static_cast<std::int64_t>(x.size());
  for (const float exponent :
       {0.0F, -0.0F, 1.0F, -1.0F, 2.0F, -2.0F, 3.0F, -3.0F, 0.5F, -0.5F, 1.5F, -1.5F, kInfinity, -kInfinity, kNaN}) {
    CAPTURE(exponent);
    const Tensor number = apply(x, {size}, [&](Value v) { return pow(v, exponent); });
    const Tensor value = apply(x, {size}, [&](Value v) { return pow(v, v.graph().constant(exponent)); });
    for (const std::vector<float>& got : {list<float>(number), list<float>(value)})
      for (std::size_t i = 0; i < x.size(); ++i) {
        CAPTURE(x[i]);
        const float want = std::pow(x[i], exponent);
        CHECK(std::isnan(got[i]) == std::isnan(want));
        if (std::isnan(want)) continue;
        CHECK(std::signbit(got[i]) == std::signbit(want));
        if (got[i] != want) CHECK(got[i] == doctest::Approx(want).epsilon(2e-7));
      }
  }
}

TEST_CASE("a rounded number is a constant to gradients") {
  Graph graph;
  const Value x = graph.input("x", f32, {2});
  const std::vector<Value> wrt{x};
  CHECK(gradients(sum(floor(x)), wrt)[0].empty());
  Program program = compile(graph, dense_gradients(sum(x * round(x) + ceil(x)), wrt));
  CHECK(list<float>(program.run({{"x", Tensor::from<float>({1.25F, -2.5F}, {2})}})[0]) == std::vector<float>{1, -2});
}

TEST_CASE("functions of one number are computed in one sweep with their neighbours") {
  Graph graph;
  const Value x = graph.input("x", f32, {3, 5});
  const Value y = sin(x) * cos(x) + softplus(x) + log1p(expm1(abs(x))) + floor(x) * ceil(x) - round(x);
  CHECK(compile(graph, {y}).instruction_count() == 1);
}

TEST_CASE("running sums: one element, none, long ones, and infinities") {
  const std::vector<float> x{1, kInfinity, 2, 1, 1, kNaN};
  const Tensor sums = apply(x, {2, 3}, [](Value v) { return cumsum(v, 1); });
  CHECK(list<float>(sums)[1] == kInfinity);
  CHECK(list<float>(sums)[4] == 2);
  CHECK(std::isnan(list<float>(sums)[5]));
  CHECK(list<float>(apply(x, {6, 1}, [](Value v) { return cumsum(v, 1); }))[1] == kInfinity);
  CHECK(list<float>(apply(x, {6, 1}, [](Value v) { return cumsum(v, 1, {.exclusive = true}); })) ==
        std::vector<float>(6, 0));
  CHECK(apply(std::vector<float>{}, {0, 3}, [](Value v) { return cumsum(v, 0); }).shape() == Shape{0, 3});
  CHECK(apply(std::vector<float>{}, {3, 0}, [](Value v) { return cumsum(v, 1); }).shape() == Shape{3, 0});
  CHECK(apply(std::vector<float>{}, {3, 0}, [](Value v) { return cumsum(v, 0); }).shape() == Shape{3, 0});
  const std::vector<float> tenths(20000, 0.1F);
  for (const Shape& shape : {Shape{20000}, Shape{10000, 2}})
    CHECK(list<float>(apply(tenths, shape, [](Value v) { return cumsum(v, 0); })).back() ==
          static_cast<float>(double{0.1F} * static_cast<double>(shape[0])));
}

TEST_CASE("dumps show limits as they were written") {
  Graph graph;
  const Value x = graph.input("x", f32, {2}), n = graph.input("n", i32, {2});
  clamp(x, -0.1F, 0.7F);
  clamp(x, -kInfinity, 0.1);
  clamp(n, -3, 16777217);
  for (const char* limits : {"low=-0.1, high=0.7", "low=-inf, high=0.1", "low=-3, high=16777217"})
    check_contains(graph_text(graph), limits);
  CHECK(list<float>(apply(std::vector<float>{-1, 1}, {2}, [](Value v) { return clamp(v, -0.1F, 0.7F); })) ==
        std::vector<float>{-0.1F, 0.7F});
}

TEST_CASE("softmax and logsumexp take minus infinity as an impossible choice") {
  const std::vector<float> x{0, -kInfinity, 0, 0, -kInfinity, -kInfinity};
  CHECK(list<float>(apply(x, {2, 3}, [](Value v) { return softmax(v, 0); }))[3] == doctest::Approx(0.5));
  CHECK(list<float>(apply(x, {2, 3}, [](Value v) { return softmax(v, 1); }))[5] == 0);
  const std::vector<float> rows = list<float>(apply(x, {2, 3}, [](Value v) { return logsumexp(v, 1); }));
  CHECK(rows[0] == doctest::Approx(std::log(2.0)));
  CHECK(rows[1] == 0);
  const std::vector<float> columns = list<float>(apply(x, {2, 3}, [](Value v) { return logsumexp(v, 0); }));
  CHECK(columns[0] == doctest::Approx(std::log(2.0)));
  CHECK(columns[1] == -kInfinity);
  CHECK(list<float>(apply(std::vector<float>{kInfinity, 1}, {2, 1}, [](Value v) { return logsumexp(v, 0); }))[0] ==
        kInfinity);
}

TEST_CASE("integers wrap around") {
  const std::vector<std::int32_t> x{2147483647, -2147483647 - 1};
  CHECK(list<std::int32_t>(apply(x, {2}, [](Value v) { return v + 1; }))[0] == -2147483647 - 1);
  CHECK(list<std::int32_t>(apply(x, {2}, [](Value v) { return v - 1; }))[1] == 2147483647);
  CHECK(list<std::int32_t>(apply(x, {2}, [](Value v) { return v * v; })) == std::vector<std::int32_t>{1, 0});
  CHECK(list<std::int32_t>(apply(x, {2}, [](Value v) { return -v; })) == std::vector<std::int32_t>{-2147483647, x[1]});
  CHECK(list<std::int32_t>(apply(x, {2}, [](Value v) { return abs(v); })) == x);
  CHECK(list<std::int32_t>(apply(x, {2}, [](Value v) { return clamp(v, -kInfinity, 16777217); })) ==
        std::vector<std::int32_t>{16777217, x[1]});
  CHECK(list<std::int32_t>(apply(x, {2}, [](Value v) { return clamp(v, -1, 1e10); })) ==
        std::vector<std::int32_t>{x[0], -1});
  CHECK(list<std::int32_t>(apply(x, {2}, [](Value v) { return cumsum(v + v, 0); })) ==
        std::vector<std::int32_t>{-2, -2});
  CHECK(apply(x, {2}, [](Value v) { return sum(v); }).values<const std::int32_t>()[0] == -1);
  CHECK(apply(x, {2}, [](Value v) { return sum(v + v); }).values<const std::int32_t>()[0] == -2);
}

TEST_CASE("ties share the gradient evenly") {
  Graph graph;
  const Value x = graph.input("x", f32, {2, 3});
  const Value loss = sum(max(x, 1) * 6) + sum(maximum(x, 2)) + sum(min(x, 0));
  const std::vector<Value> wrt{x};
  Program program = compile(graph, dense_gradients(loss, wrt));
  const Tensor gradient = program.run({{"x", Tensor::from<float>({2, 2, -1, 1, 1, 1}, {2, 3})}})[0];
  // max: 3 3 0 / 2 2 2; maximum(x, 2): 0.5 0.5 0 / 0 0 0; min over rows: 0 0 1 / 1 1 0
  CHECK(list<float>(gradient) == std::vector<float>{3.5F, 3.5F, 1, 3, 3, 2});
}

TEST_CASE("large sums keep their digits and do not depend on the number of threads") {
  const int before = num_threads();
  Philox random(3);
  struct Kind {
    Shape shape;
    std::vector<int> axes;
  };
  for (const Kind& kind : {Kind{{1500000}, {0}}, Kind{{5000, 70}, {0}}, Kind{{3, 2000, 40}, {1}},
                           Kind{{40, 30, 50}, {0, 2}}, Kind{{7, 90000}, {1}}, Kind{{64, 5000}, {0}}}) {
    const Tensor x = random_tensor({f32, kind.shape}, random);
    std::vector<Tensor> results;
    for (const int threads : {1, 2, 3}) {
      set_num_threads(threads);
      Graph graph;
      const Value input = graph.input("x", f32, kind.shape);
      Program program = compile(graph, {sum(input, kind.axes), max(input, kind.axes), mean(input, kind.axes)});
      for (const Tensor& result : copies(program.run({{"x", x}}))) results.push_back(result);
    }
    for (std::size_t i = 0; i < 3; ++i) {
      CHECK(bit_difference(std::span(&results[i], 1), std::span(&results[i + 3], 1)) == "");
      CHECK(bit_difference(std::span(&results[i], 1), std::span(&results[i + 6], 1)) == "");
    }
    // Against plain sums in double: the result's element is found from the indices of the axes that stay.
    std::vector<double> sums(static_cast<std::size_t>(results[0].elements()));
    const auto values = x.values<const float>();
    for (std::int64_t i = 0; i < x.elements(); ++i) {
      std::int64_t rest = i;
      std::int64_t at = 0;
      std::int64_t step = 1;
      for (int axis = kind.shape.rank() - 1; axis >= 0; rest /= kind.shape[axis], --axis) {
        if (std::ranges::find(kind.axes, axis) != kind.axes.end()) continue;
        at += rest % kind.shape[axis] * step;
        step *= kind.shape[axis];
      }
      sums[static_cast<std::size_t>(at)] += static_cast<double>(values[static_cast<std::size_t>(i)]);
    }
    CHECK(difference(to_doubles(results[0]), sums, 1e-5) == "");
  }
  set_num_threads(before);
}

TEST_CASE("layer_norm over many rows gives the same bits with one thread and two") {
  const int before = num_threads();
  Philox random(5);
  const Tensor x = random_tensor({f32, {300, 96}}, random);
  std::vector<std::vector<Tensor>> results;
  for (const int threads : {1, 2}) {
    set_num_threads(threads);
    Graph graph;
    const Value input = graph.input("x", f32, {300, 96});
    const Value gain = full(graph, {f32, {96}}, 1.5F);
    const Value bias = full(graph, {f32, {96}}, 0.5F);
    const Value y = layer_norm(input, gain, bias);
    const std::vector<Value> wrt{input, gain, bias};
    std::vector<Value> outputs = dense_gradients(sum(y * square(input)), wrt);
    Program program = compile(graph, outputs);
    results.push_back(copies(program.run({{"x", x}})));
  }
  CHECK(bit_difference(results[0], results[1]) == "");
  set_num_threads(before);
}

TEST_CASE("empty arrays pass through") {
  const std::vector<float> none;
  CHECK(apply(none, {0, 3}, [](Value v) { return tanh(v) + 1; }).shape() == Shape{0, 3});
  CHECK(apply(none, {0, 3}, [](Value v) { return softmax(v); }).shape() == Shape{0, 3});
  CHECK(list<float>(apply(none, {0, 3}, [](Value v) { return sum(v, 0); })) == std::vector<float>{0, 0, 0});
  CHECK(apply(none, {0, 3}, [](Value v) { return sum(v); }).item() == 0);
  CHECK(apply(none, {0, 3}, [](Value v) { return max(v, 1); }).shape() == Shape{0});
  CHECK(apply(none, {0, 3}, [](Value v) { return top_k(v, 2).values; }).shape() == Shape{0, 2});
}

TEST_CASE("a gradient is computed where nobody reads the result itself") {
  Graph graph;
  const Value x = graph.input("x", f32, {2, 3});
  const Value gain = graph.input("gain", f32, {3});
  const Value bias = graph.input("bias", f32, {3});
  const std::vector<Value> wrt{gain, bias};
  Program program = compile(graph, dense_gradients(sum(layer_norm(x, gain, bias)), wrt));
  const auto results = program.run({{"x", Tensor::from<float>({1, 2, 3, 5, 3, 1}, {2, 3})},
                                    {"gain", Tensor::from<float>({1, 1, 1}, {3})},
                                    {"bias", Tensor::from<float>({0, 0, 0}, {3})}});
  CHECK(list<float>(results[1]) == std::vector<float>{2, 2, 2});
  CHECK(list<float>(results[0])[1] == doctest::Approx(0).epsilon(1e-5));
}

TEST_CASE("neutral operations disappear from programs") {
  Graph graph;
  const Value x = graph.input("x", f32, {2, 3});
  const Value same = -(-((x + 0) * 1 / 1 - 0));
  const Value repeated = broadcast_to(sum(sum_to(same, {2, 3}), 0, true), {1, 3});
  Program program = compile(graph, {repeated});
  CHECK(program.instruction_count() == 1);
  // A neutral number that makes the result larger must stay.
  Graph other;
  const Value row = other.input("x", f32, {3});
  Program grown = compile(other, {row * full(other, {f32, {2, 3}}, 1)});
  const Tensor result = grown.run({{"x", Tensor::from<float>({1, 2, 3}, {3})}})[0];
  CHECK(list<float>(result) == std::vector<float>{1, 2, 3, 1, 2, 3});
}

TEST_CASE("errors say what was found and what was expected") {
  Graph graph;
  const Value x = graph.input("x", f32, {2, 3});
  const Value n = graph.input("n", i32, {2, 3});
  const Value flag = graph.input("flag", boolean, {2, 3});
  const Value row = graph.input("row", f32, {4});
  const std::string broadcasting = message([&] { x + row; });
  check_contains(broadcasting, "[add]");
  check_contains(broadcasting, "[2,3] and [4]");
  check_contains(broadcasting, "test_pointwise_edges.cpp:");
  check_contains(message([&] { x* n; }), "dtypes differ: a is f32[2,3], b is i32[2,3]");
  check_contains(message([&] { n / 2; }), "takes f32, an argument is i32[2,3]");
  check_contains(message([&] { n + 0.5; }), "the number 0.5 does not go with i32[2,3]");
  check_contains(message([&] { add(1, 2); }), "[add] needs a value of a graph");
  check_contains(message([&] { tanh(Operand(1)); }), "[tanh] needs a value of a graph, not the number 1");
  check_contains(message([&] { tanh(Value()); }), "[tanh] the argument is an empty value");
  check_contains(message([&] { exp(n); }), "takes f32, an argument is i32[2,3]");
  check_contains(message([&] { less(flag, flag); }), "takes f32 or i32, an argument is bool[2,3]");
  check_contains(message([&] { logical_not(x); }), "takes bool, an argument is f32[2,3]");
  check_contains(message([&] { where(x, x, x); }), "[where] the condition must be bool, it is f32[2,3]");
  check_contains(message([&] { sum(x, 2); }), "axis 2 is out of range for x of shape [2,3]");
  check_contains(message([&] { sum(x, {1, -1}); }), "axis 1 is given twice");
  check_contains(message([&] { mean(n); }), "takes f32, x is i32[2,3]");
  check_contains(message([&] { sum_to(x, {4}); }), "[4] does not broadcast to x of type f32[2,3]");
  check_contains(message([&] { broadcast_to(x, {3}); }), "f32[2,3] does not broadcast to [3]");
  check_contains(message([&] { softmax(x, 2); }), "axis 2 is out of range for shape [2,3]");
  check_contains(message([&] { top_k(x, 4); }), "k is 4, but the last axis of x f32[2,3] must have that many");
  check_contains(message([&] { layer_norm(x, row, row); }), "must be of shape [3], as x is f32[2,3]");
  check_contains(message([&] { clamp(x, 1, 0); }), "the lower limit 1 is above the upper limit 0");
  check_contains(message([&] { clamp(n, 0, 1.5); }), "the limit 1.5 does not go with i32[2,3]");
  check_contains(message([&] { abs(flag); }), "takes f32 or i32, an argument is bool[2,3]");
  check_contains(message([&] { cumsum(flag, 0); }), "takes f32 or i32, x is bool[2,3]");
  check_contains(message([&] { cumsum(x, 2); }), "[cumsum] axis 2 is out of range for f32[2,3]");
  check_contains(message([&] { argmin(broadcast_to(row, {0, 4}), 0); }), "there is no argmin of nothing");
  check_contains(message([&] { one_hot(n, 0); }), "the depth must be above 0, it is 0");
  check_contains(message([&] {
                   mean_squared_error(row, broadcast_to(row, {2, 4}));
                 }),
                 "the target does not broadcast to the prediction f32[4]");
}

TEST_CASE("an index beyond the depth of one_hot is an error at run time") {
  const auto run = [] { apply(std::vector<std::int32_t>{0, 7, 1}, {3}, [](Value v) { return one_hot(v, 5); }); };
  check_contains(message(run), "index 7 at position 1 is not below the depth 5");
}

}  // namespace
}  // namespace eddy::test
