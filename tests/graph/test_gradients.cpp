// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include "eddy/graph/builtin.h"
#include "eddy/graph/program.h"
#include "eddy/graph/variable.h"
#include "eddy/ops/add.h"
#include "eddy/ops/div.h"
#include "eddy/ops/matmul.h"
#include "eddy/ops/mul.h"
#include "eddy/ops/slice.h"
#include "eddy/ops/square.h"
#include "eddy/ops/stop_gradient.h"
#include "eddy/ops/sum.h"
#include "eddy/ops/tanh.h"
#include "tests/support/arrays.h"
#include "tests/support/probe_ops.h"

namespace eddy::test {
namespace {

double item(Graph& graph, Value value, std::span<const Binding> bindings) {
  Program program = compile(graph, {value});
  return program.run(bindings)[0].item();
}

TEST_CASE("gradients: x^3 to the third order") {
  Graph graph;
  const Value x = graph.input("x", f32, {});
  const Value y = x * x * x;
  const Value first = dense_gradient(y, x);
  const Value second = dense_gradient(first, x);
  const Value third = dense_gradient(second, x);
  const Value fourth = dense_gradient(third, x);
  const std::vector<Binding> bindings{{"x", Tensor::scalar(1.5F)}};
  CHECK(item(graph, first, bindings) == doctest::Approx(3 * 1.5 * 1.5));
  CHECK(item(graph, second, bindings) == doctest::Approx(6 * 1.5));
  CHECK(item(graph, third, bindings) == doctest::Approx(6));
  CHECK(item(graph, fourth, bindings) == 0);
}

TEST_CASE("gradients: with respect to all that is trained, and to nothing else") {
  ParameterStore store(1);
  Graph graph;
  const Value w = parameter(graph, store, "w", {2}, constant_value(3));
  const Value carried = state(graph, store, "carried", {f32, {2}}, constant_value(5));
  const Value b = parameter(graph, store, "b", {2}, constant_value(1));
  const std::vector<Value> parameters = graph.parameters();
  REQUIRE(parameters == std::vector{w, b});
  const std::vector<Value> slopes = dense_gradients(sum(w * carried + b), parameters);
  CHECK(item(graph, sum(slopes[0]), {}) == 10);
  CHECK(item(graph, sum(slopes[1]), {}) == 2);
}

TEST_CASE("gradients: mixed second derivatives do not depend on the order") {
  Graph graph;
  const Value x = graph.input("x", f32, {});
  const Value y = graph.input("y", f32, {});
  const Value f = tanh(x * y) + x * x * y;
  const std::vector<Value> first = dense_gradients(f, {x, y});
  const Value xy = dense_gradient(first[0], y);
  const Value yx = dense_gradient(first[1], x);
  const std::vector<Binding> bindings{{"x", Tensor::scalar(0.75F)}, {"y", Tensor::scalar(-0.5F)}};
  CHECK(item(graph, xy, bindings) == doctest::Approx(item(graph, yx, bindings)).epsilon(1e-5));
  const double t = std::tanh(0.75 * -0.5);
  const double expected = (1 - t * t) - 2 * t * (1 - t * t) * 0.75 * -0.5 + 2 * 0.75;
  CHECK(item(graph, xy, bindings) == doctest::Approx(expected).epsilon(1e-5));
}

TEST_CASE("gradients: the steps of an unrolled loop leave theirs in place, not in a whole array each") {
  const auto arena = [](std::int64_t steps, const PassSwitches& passes, std::vector<Tensor>* gradients) {
    Graph graph;
    Philox random(4);
    const Value x = graph.input("x", f32, {steps, 4, 6}), w = graph.input("w", f32, {6, 6});
    Value h = at(x, 1);
    for (std::int64_t t = 3; t < steps; ++t) h = tanh(matmul(h, w) + at(x, t));  // steps 0 and 2 are not read
    const std::vector<Value> made = dense_gradients(sum(h * h), {x, w});
    Program program = compile(graph, made, {.passes = passes});
    const std::vector<Binding> bindings{{"x", random_tensor(x.type(), random)}, {"w", random_tensor(w.type(), random)}};
    if (gradients != nullptr) *gradients = copies(program.run(bindings));
    return program.memory_plan().arena_bytes;
  };
  std::vector<Tensor> joined, added;
  const std::size_t small = arena(100, {}, &joined);
  CHECK(arena(200, {}, nullptr) < 5 * small / 2);
  arena(100, {.simplify = false}, &added);
  CHECK(difference(joined, added, 1e-6) == "");
}

TEST_CASE("gradients: pieces of other axes, or that meet, are added up") {
  Graph graph;
  Philox random(4);
  const Value x = graph.input("x", f32, {6, 5});
  const Value y = sum(slice(x, 0, 0, 3) * slice(x, 0, 3, 6)) + sum(slice(x, 0, 2, 4)) + sum(slice(x, 1, 1, 3)) * 2 +
                  sum(slice(x, 1, 4, 5)) + sum(square(x)) / 2;
  const Tensor data = random_tensor(x.type(), random);
  Program program = compile(graph, dense_gradients(y, {x}));
  const std::vector<Binding> bindings{{"x", data}};
  const auto got = program.run(bindings)[0].values<const float>();
  const auto in = data.values<const float>();
  for (std::size_t i = 0; i < 6; ++i)
    for (std::size_t j = 0; j < 5; ++j) {
      const float other = in[(i + 3) % 6 * 5 + j];
      const float ones = (i == 2 || i == 3 ? 1.0F : 0.0F) + (j == 1 || j == 2 ? 2.0F : 0.0F) + (j == 4 ? 1.0F : 0.0F);
      CHECK(got[i * 5 + j] == doctest::Approx(other + ones + in[i * 5 + j]).epsilon(1e-5));
    }
}

TEST_CASE("gradients: a value used along several paths sums them") {
  Graph graph;
  const Value x = graph.input("x", f32, {});
  const Value shared = x * x;                           // 2x
  const Value loss = shared + shared * shared + 3 * x;  // 2x + 4x^3 + 3
  const Value gradient = dense_gradient(loss, x);
  CHECK(item(graph, gradient, std::vector<Binding>{{"x", Tensor::scalar(2.0F)}}) == doctest::Approx(4 + 32 + 3));
}

TEST_CASE("gradients: with respect to an inner value, and to the loss itself") {
  Graph graph;
  const Value x = graph.input("x", f32, {});
  const Value inner = x * 3;
  const Value loss = inner * inner;
  const std::vector<Value> found = dense_gradients(loss, {inner, loss, x});
  const std::vector<Binding> bindings{{"x", Tensor::scalar(2.0F)}};
  CHECK(item(graph, found[0], bindings) == doctest::Approx(12));
  CHECK(item(graph, found[1], bindings) == 1);
  CHECK(item(graph, found[2], bindings) == doctest::Approx(36));
}

TEST_CASE("gradients: no path gives an empty gradient, or zeros when dense ones are asked for") {
  Graph graph;
  const Value x = graph.input("x", f32, {2});
  const Value unused = graph.input("unused", f32, {3});
  const Value stopped = graph.input("stopped", f32, {2});
  const Value loss = sum(x * stop_gradient(stopped));
  const std::vector<Value> wrt{x, unused, stopped};
  const std::vector<Gradient> found = gradients(loss, wrt);
  CHECK(!found[0].empty());
  CHECK(found[1].empty());
  CHECK(found[2].empty());
  CHECK_THROWS_AS(found[1].dense(unused), GraphError);
  Program program = compile(graph, dense_gradients(loss, wrt));
  const std::span<const Tensor> values = program.run({{"x", Tensor(f32, {2})}, {"stopped", Tensor(f32, {2})}});
  CHECK(to_doubles(values[1]) == std::vector<double>{0, 0, 0});
  CHECK(to_doubles(values[2]) == std::vector<double>{0, 0});
}

TEST_CASE("gradients: values made after the loss have none") {
  Graph graph;
  const Value x = graph.input("x", f32, {});
  const Value loss = x * x;
  const Value later = x + 1;
  CHECK(gradients(loss, {later})[0].empty());
}

TEST_CASE("gradients: only one of several outputs carries one") {
  Graph graph;
  const Value x = graph.input("x", f32, {2, 3});
  const std::vector<Value> parts = split(x, 3, 1);
  const Value gradient = dense_gradient(sum(parts[1] * 5), x);
  Program program = compile(graph, {gradient});
  CHECK(to_doubles(program.run({{"x", Tensor(f32, {2, 3})}})[0]) == std::vector<double>{0, 5, 0, 0, 5, 0});
}

TEST_CASE("gradients: an op without a gradient is named with its line, but only when it is on the path") {
  Graph graph;
  const Value x = graph.input("x", f32, {});
  const Value y = graph.input("y", f32, {});
  const NameScope scope(graph, "encoder");
  const unsigned line = __LINE__ + 1;
  const Value hidden = opaque(x);
  const Value loss = hidden * y;
  CHECK_NOTHROW(gradients(loss, {y}));
  try {
    gradients(loss, {x});
    FAIL("no error");
  } catch (const GraphError& error) {
    const std::string text = error.what();
    INFO(text);
    CHECK(text.find("[test_opaque]") != std::string::npos);
    CHECK(text.find(fmt::format("test_gradients.cpp:{}", line)) != std::string::npos);
    CHECK(text.find("scope encoder") != std::string::npos);
  }
}

TEST_CASE("gradients: the loss must be one number and each value f32 of the same graph") {
  Graph graph;
  Graph other;
  const Value x = graph.input("x", f32, {2});
  const Value loss = sum(x);
  CHECK_THROWS_WITH_AS(gradients(x, {x}), doctest::Contains("f32[2]"), GraphError);
  CHECK_THROWS_AS(gradients(Value(), {x}), GraphError);
  CHECK_THROWS_AS(gradients(loss, {other.input("x", f32, {2})}), GraphError);
  CHECK_THROWS_AS(gradients(loss, {graph.input("i", i32, {2})}), GraphError);
  CHECK_THROWS_AS(gradients(loss, {Value()}), GraphError);
}

TEST_CASE("gradients: a table that is only looked up gets rows, never a dense array") {
  Graph graph;
  const Value table = graph.input("table", f32, {1000, 4});
  const Value ids = graph.input("ids", i32, {2, 3});
  const Value loss = sum(tanh(gather_rows(table, ids)));
  const Gradient gradient = gradients(loss, {table})[0];
  REQUIRE(gradient.is_sparse());
  REQUIRE(gradient.sparse_parts().size() == 1);
  const RowSparse part = gradient.sparse_parts()[0];
  CHECK(part.rows.shape().elements() == 6 * 4);
  Program program = compile(graph, {part.rows, part.indices});
  CHECK(program.memory_plan().arena_bytes < 1000 * 4 * sizeof(float));
}

TEST_CASE("gradients: a tied table has rows and a dense part, and their sum is exact") {
  Graph graph;
  Philox random(3);
  const Value table = graph.input("table", f32, {5, 3});
  const Value ids = graph.input("ids", i32, {4});
  const Value hidden = tanh(gather_rows(table, ids));
  const Value logits = matmul(hidden, table, {.transpose_b = true});
  const Tensor weights = random_tensor(logits.type(), random);
  const Value loss = weighted_sum(logits, graph.constant(weights)) + sum(gather_rows(table, ids) * 2);
  const Gradient gradient = gradients(loss, {table})[0];
  CHECK(!gradient.is_dense());
  CHECK(!gradient.is_sparse());
  CHECK(gradient.dense_part());
  CHECK(gradient.sparse_parts().size() == 2);

  const Tensor table_value = random_tensor(table.type(), random);
  const std::vector<std::int32_t> id_values{4, 0, 4, -1};
  Program program = compile(graph, {gradient.dense(table)});
  const Tensor got = program.run({{"table", table_value}, {"ids", Tensor::from(id_values, {4})}})[0].clone();

  const std::vector<double> t = to_doubles(table_value);
  const std::vector<double> w = to_doubles(weights);
  std::vector<double> expected(15, 0.0);
  for (std::size_t i = 0; i < 4; ++i) {
    const bool real = id_values[i] >= 0;
    const auto row = static_cast<std::size_t>(real ? id_values[i] : 0);
    for (std::size_t k = 0; k < 3; ++k) {
      const double h = real ? std::tanh(t[row * 3 + k]) : 0;
      double d_hidden = 0;
      for (std::size_t j = 0; j < 5; ++j) {
        d_hidden += w[i * 5 + j] * t[j * 3 + k];
        expected[j * 3 + k] += w[i * 5 + j] * h;
      }
      if (real) expected[row * 3 + k] += d_hidden * (1 - h * h) + 2;
    }
  }
  CHECK(difference(to_doubles(got), expected, 1e-5) == "");
}

TEST_CASE("gradients: second order through rows") {
  Graph graph;
  const Value table = graph.input("table", f32, {3, 2});
  const Value ids = graph.input("ids", i32, {3});
  const Value rows = gather_rows(table, ids);
  const Value loss = sum(rows * rows * rows);
  const Value first = dense_gradient(loss, table);
  const Value second = dense_gradient(sum(first), table);
  Program program = compile(graph, {first, second});
  const std::vector<float> values{1, 2, 3, 4, 5, 6};
  const std::vector<std::int32_t> picked{2, 0, 2};
  const std::span<const Tensor> got =
      program.run({{"table", Tensor::from(values, {3, 2})}, {"ids", Tensor::from(picked, {3})}});
  CHECK(to_doubles(got[0]) == std::vector<double>{3, 12, 0, 0, 150, 216});
  CHECK(to_doubles(got[1]) == std::vector<double>{6, 12, 0, 0, 60, 72});
}

TEST_CASE("gradients: nodes of the backward pass answer to the line of the forward node") {
  Graph graph;
  const Value x = graph.input("x", f32, {});
  NameScope* scope = new NameScope(graph, "layer0");
  const unsigned line = __LINE__ + 1;
  const Value y = tanh(x);
  delete scope;
  const Value loss = y * 2;
  const int before = graph.size();
  gradients(loss, {x});
  bool found = false;
  for (int id = before; id < graph.size(); ++id) {
    const Origin& origin = graph.node(id).origin;
    found = found || (origin.line == line && origin.scope == "gradient/layer0");
  }
  CHECK(found);
}

}  // namespace
}  // namespace eddy::test
