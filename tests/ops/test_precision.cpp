// SPDX-License-Identifier: Apache-2.0
// What --precision says reaches every kind of product on AMX's tiles; elsewhere it changes no bit.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>

#include "eddy/core/error.h"
#include "eddy/core/precision.h"
#include "eddy/core/threads.h"
#include "eddy/core/tile_product.h"
#include "eddy/graph/gradient.h"
#include "eddy/graph/program.h"
#include "eddy/models/cells.h"
#include "eddy/ops/gru.h"
#include "eddy/ops/linear.h"
#include "eddy/ops/linear_cross_entropy.h"
#include "eddy/ops/lstm.h"
#include "eddy/ops/masked_linear.h"
#include "eddy/ops/reshape.h"
#include "eddy/ops/scan.h"
#include "eddy/ops/square.h"
#include "eddy/ops/sum.h"
#include "tests/support/arrays.h"
#include "tests/support/largest.h"
#include "tests/support/precision_restored.h"

namespace eddy::test {
namespace {

/// Sizes that tiles pay for, and that fill none.
constexpr std::int64_t kTime = 7, kBatch = 26, kSize = 150, kClasses = 1030;

/// Makes a loss of x, f32[time,batch,size], and of weights it makes itself.
using Model = std::function<Value(Value x, const std::function<Value(const Shape&)>& weight)>;

/// Three of four.
Tensor some_ones(std::int64_t rows) {
  std::vector<float> mask;
  for (std::int64_t i = 0; i < rows; ++i) mask.push_back(i % 4 == 1 ? 0.0F : 1.0F);
  return Tensor::from(mask, {rows});
}

bool same_bits(const std::vector<Tensor>& found, const std::vector<Tensor>& expected) {
  return std::ranges::equal(found, expected, [](const Tensor& a, const Tensor& b) {
    return a.type() == b.type() && std::memcmp(a.data(), b.data(), a.bytes()) == 0;
  });
}

/// The loss and its gradients by x and all weights.
std::vector<Tensor> evaluate(const Model& model, Precision precision) {
  set_matmul_precision(precision);
  Graph graph;
  Philox random(5);
  std::vector<Value> wrt{graph.constant(random_tensor({f32, {kTime, kBatch, kSize}}, random, -1, 1))};
  const Value loss = model(wrt[0], [&](const Shape& shape) {
    return wrt.emplace_back(graph.constant(random_tensor({f32, shape}, random, -0.2F, 0.2F)));
  });
  std::vector<Value> results{loss};
  for (const Value& gradient : dense_gradients(loss, wrt)) results.push_back(gradient);
  // Folded, constants would be products made at compile time.
  CompileOptions options;
  options.passes.fold = false;
  std::vector<Tensor> values;
  Program program = compile(graph, results, options);
  for (const Tensor& tensor : program.run({})) values.push_back(tensor.clone());
  return values;
}

/// Of each result.
std::vector<double> differences(const std::vector<Tensor>& found, const std::vector<Tensor>& expected) {
  std::vector<double> result;
  REQUIRE(found.size() == expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) result.push_back(relative_difference(found[i], expected[i]));
  return result;
}

}  // namespace

TEST_CASE("each kind of product has the precision that is set when it is compiled") {
  const PrecisionRestored restored;
  const std::vector<std::pair<const char*, Model>> models{
      {"linear",
       [](Value x, const auto& weight) {
         return sum(square(linear(x, weight({kSize, 200}))));
       }},
      {"lstm",
       [](Value x, const auto& weight) {
         return sum(
             square(lstm(x, weight({kSize, 4 * kSize}), weight({kSize, 4 * kSize}), weight({4 * kSize})).outputs));
       }},
      {"gru",
       [](Value x, const auto& weight) {
         return sum(
             square(gru(x, weight({kSize, 3 * kSize}), weight({kSize, 3 * kSize}), weight({3 * kSize})).outputs));
       }},
      {"gru of Cho et al.",
       [](Value x, const auto& weight) {
         return sum(square(
             gru(x, weight({kSize, 3 * kSize}), weight({kSize, 3 * kSize}), weight({3 * kSize}), {.reset_after = false})
                 .outputs));
       }},
      {"masked_linear",
       [](Value x, const auto& weight) {
         const std::int64_t rows = kTime * kBatch;
         return sum(square(masked_linear(reshape(x, {rows, kSize}), weight({kSize, 200}), weight({200}),
                                         x.graph().constant(some_ones(rows)))));
       }},
      {"scan",
       [](Value x, const auto& weight) {
         const LstmCell cell{
             .w_x = weight({kSize, 4 * kSize}), .w_h = weight({kSize, 4 * kSize}), .bias = weight({4 * kSize})};
         State initial;
         for (const char* name : {"h", "c"}) initial.set(name, weight({kBatch, kSize}));
         const Value outputs = scan(cell, x, initial).output;
         return sum(square(outputs));
       }},
      {"linear_cross_entropy",
       [](Value x, const auto& weight) {
         const std::int64_t rows = kTime * kBatch;
         std::vector<std::int32_t> targets;
         for (std::int64_t i = 0; i < rows; ++i) targets.push_back(static_cast<std::int32_t>(i * 37 % kClasses));
         Graph& graph = x.graph();
         return linear_cross_entropy(reshape(x, {rows, kSize}), weight({kClasses, kSize}), weight({kClasses}),
                                     graph.constant(Tensor::from(targets, {rows})),
                                     graph.constant(Tensor::from(std::vector<float>(rows, 0.5F), {rows})));
       }},
  };
  for (const auto& named : models) {
    INFO(std::string(named.first));
    const Model& model = named.second;
    const std::vector<Tensor> highest = evaluate(model, Precision::highest), high = evaluate(model, Precision::high),
                              medium = evaluate(model, Precision::medium);
    const std::vector<double> of_high = differences(high, highest), of_medium = differences(medium, highest);
    // The loss comes first, whose errors cancel.
    for (std::size_t i = 1; i < highest.size(); ++i) {
      CAPTURE(i);
      if (tiles::available()) {
        CHECK(of_high[i] > 1e-7);
        CHECK(of_high[i] < 1e-4);
        CHECK(of_medium[i] > 2e-4);
        CHECK(of_medium[i] < 3e-2);
      } else {
        CHECK(of_high[i] == 0);
        CHECK(of_medium[i] == 0);
      }
    }
    const int threads = num_threads();
    set_num_threads(3);
    CHECK(same_bits(evaluate(model, Precision::medium), medium));
    CHECK(same_bits(evaluate(model, Precision::high), high));
    set_num_threads(threads);
  }
}

TEST_CASE("a program keeps the precision it was compiled for") {
  const PrecisionRestored restored;
  constexpr std::int64_t kRows = 700;
  Philox random(6);
  const Tensor a = random_tensor({f32, {kRows, kSize}}, random, -1, 1),
               b = random_tensor({f32, {kRows, 200}}, random, -1, 1);
  Graph graph;
  const Value product = masked_row_sum(graph.input("a", f32, a.shape()), graph.input("b", f32, b.shape()),
                                       graph.input("mask", f32, {kRows}));
  // How many rows count, and with it the product, is known at run time only.
  const std::vector<Binding> bindings{{"a", a}, {"b", b}, {"mask", some_ones(kRows)}};
  for (const Precision compiled : {Precision::medium, Precision::highest}) {
    set_matmul_precision(compiled);
    Program program = compile(graph, {product});
    const Tensor before = program.run(bindings)[0].clone();
    set_matmul_precision(compiled == Precision::medium ? Precision::highest : Precision::medium);
    CHECK(same_bits({program.run(bindings)[0]}, {before}));
  }
}

TEST_CASE("a precision has a name, and nothing else is one") {
  for (const Precision precision : {Precision::medium, Precision::high, Precision::highest})
    CHECK(precision_of(name_of(precision)) == precision);
  CHECK(matmul_precision() == Precision::highest);
  CHECK_THROWS_WITH_AS(precision_of("bf16"), "the precision of products is medium, high or highest, not 'bf16'",
                       UsageError);
}

}  // namespace eddy::test
