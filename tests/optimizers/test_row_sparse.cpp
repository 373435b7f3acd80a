// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include "eddy/core/random.h"
#include "eddy/graph/builtin.h"
#include "eddy/graph/program.h"
#include "eddy/ops/mul.h"
#include "eddy/ops/row_sparse.h"
#include "eddy/ops/sum.h"

namespace eddy::test {
namespace {

using Ints = std::vector<std::int32_t>;
using Floats = std::vector<float>;

template <class T>
std::vector<T> list(const Tensor& tensor) {
  const std::span<const T> values = tensor.values<const T>();
  return {values.begin(), values.end()};
}

TEST_CASE("coalesce names each row once, in order, over several parts") {
  Graph graph;
  const std::vector<RowSparse> parts = {{graph.input("i", i32, {2, 2}), graph.input("r", f32, {2, 2, 2})},
                                        {graph.input("j", i32, {2}), graph.input("s", f32, {2, 2})}};
  const RowSparse result = coalesce(parts, {200, 2});
  Program program = compile(graph, {result.indices, result.rows});
  const std::span<const Tensor> got = program.run({{"i", Tensor::from(Ints{130, 5, -1, 5}, {2, 2})},
                                                   {"r", Tensor::from(Floats{1, 2, 3, 4, 99, 99, 5, 6}, {2, 2, 2})},
                                                   {"j", Tensor::from(Ints{199, 130}, {2})},
                                                   {"s", Tensor::from(Floats{7, 8, 10, 20}, {2, 2})}});
  CHECK(list<std::int32_t>(got[0]) == Ints{5, 130, 199, -1, -1, -1});
  CHECK(list<float>(got[1]) == Floats{8, 10, 11, 22, 7, 8, 0, 0, 0, 0, 0, 0});
}

TEST_CASE("coalesced rows scatter to the same table, at sizes that threads share") {
  constexpr std::int64_t kRows = 1000;
  constexpr std::int64_t kWidth = 96;
  constexpr std::int64_t kCount = 700;
  Graph graph;
  const RowSparse given{graph.input("i", i32, {kCount}), graph.input("r", f32, {kCount, kWidth})};
  const RowSparse result = coalesce(std::span(&given, 1), {kRows, kWidth});
  Program program = compile(graph, {scatter_add({}, {kRows, kWidth}, given.indices, given.rows),
                                    scatter_add({}, {kRows, kWidth}, result.indices, result.rows), result.indices});
  Philox random(5);
  const Tensor indices(i32, {kCount});
  // Few rows take most of the weight, as words do.
  for (std::int32_t& index : indices.values<std::int32_t>()) {
    index = static_cast<std::int32_t>(uniform_index(random, uniform_index(random, 4) == 0 ? kRows : 3));
  }
  const Tensor rows(f32, {kCount, kWidth});
  for (float& value : rows.values<float>()) value = static_cast<float>(uniform_index(random, 100));
  for (int run = 0; run < 2; ++run) {
    const std::span<const Tensor> got = program.run({{"i", indices}, {"r", rows}});
    CHECK(list<float>(got[0]) == list<float>(got[1]));
    const Ints unique = list<std::int32_t>(got[2]);
    for (std::size_t k = 1; k < unique.size(); ++k) CHECK((unique[k] > unique[k - 1] || unique[k] == -1));
  }
}

TEST_CASE("coalesce has a gradient: each occurrence gets its row's") {
  Graph graph;
  const RowSparse given{graph.input("i", i32, {4}), graph.input("r", f32, {4, 1})};
  const RowSparse result = coalesce(std::span(&given, 1), {6, 1});
  const Value weights = graph.constant(Tensor::from(Floats{10, 20, 30, 40}, {4, 1}));
  const Value loss = sum(result.rows * weights);
  Program program = compile(graph, dense_gradients(loss, {given.rows}));
  const std::span<const Tensor> got =
      program.run({{"i", Tensor::from(Ints{4, 2, -1, 4}, {4})}, {"r", Tensor::from(Floats{1, 2, 3, 4}, {4, 1})}});
  CHECK(list<float>(got[0]) == Floats{20, 10, 0, 20});
}

TEST_CASE("an index beyond the table is an error with its position") {
  Graph graph;
  const RowSparse given{graph.input("i", i32, {2}), graph.input("r", f32, {2, 1})};
  Program program = compile(graph, {coalesce(std::span(&given, 1), {6, 1}).indices});
  CHECK_THROWS_WITH_AS(program.run({{"i", Tensor::from(Ints{4, 6}, {2})}, {"r", Tensor::from(Floats{1, 2}, {2, 1})}}),
                       doctest::Contains("index 6 at position 1 is out of range for a table of 6 rows"), GraphError);
  CHECK_THROWS_AS(coalesce({}, {6, 1}), GraphError);
}

}  // namespace
}  // namespace eddy::test
