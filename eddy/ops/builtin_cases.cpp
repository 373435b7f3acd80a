// SPDX-License-Identifier: Apache-2.0
// Cases of the ops that live in graph/, which knows no cases, and of those on row-sparse gradients.
#include "eddy/graph/builtin.h"
#include "eddy/ops/op_case.h"
#include "eddy/ops/row_sparse.h"

namespace eddy {
namespace {

// Ops whose size is an attribute take it, in their cases, from the shape of an input that nothing else reads: so their
// benchmarks, too, run at any shape.

/// Rows of width 3 added into a table of 5 at the given indices; negative ones are ignored.
std::vector<double> scattered(std::vector<double> table, const std::vector<double>& indices,
                              const std::vector<double>& rows) {
  for (std::size_t i = 0; i < indices.size(); ++i)
    for (std::size_t j = 0; j < 3 && indices[i] >= 0; ++j)
      table[static_cast<std::size_t>(indices[i]) * 3 + j] += rows[i * 3 + j];
  return table;
}

const RegisterOpCase case_add_n{{
    .name = "add_n",
    .inputs = {{{f32, {3, 7}}}, {{f32, {3, 7}}}, {{f32, {3, 7}}}},
    .build = [](Graph&, std::span<const Value> in) -> std::vector<Value> {
      return {add_n({in[0], in[1], in[2]})};
    },
    .reference =
        [](std::span<const std::vector<double>> in) {
          std::vector<double> sum;
          for (std::size_t i = 0; i < in[0].size(); ++i) sum.push_back(in[0][i] + in[1][i] + in[2][i]);
          return FlatArrays{sum};
        },
    .bench_inputs = {{{f32, {3200, 512}}}, {{f32, {3200, 512}}}, {{f32, {3200, 512}}}},
}};

const RegisterOpCase case_add_n_repeated{{
    .name = "add_n/repeated",
    .inputs = {{{f32, {5, 300}}}, {{f32, {5, 300}}}},
    .build = [](Graph&, std::span<const Value> in) -> std::vector<Value> {
      return {add_n({in[0], in[1], in[0], in[1], in[0]})};
    },
    .reference =
        [](std::span<const std::vector<double>> in) {
          std::vector<double> sum;
          for (std::size_t i = 0; i < in[0].size(); ++i) sum.push_back(3 * in[0][i] + 2 * in[1][i]);
          return FlatArrays{sum};
        },
}};

const RegisterOpCase case_scatter_add{{
    .name = "scatter_add",
    .inputs = {{.type = {i32, {4}}, .values = {4, -1, 0, 4}},
               {{f32, {4, 3}}},
               {.type = {f32, {5, 3}}, .differentiable = false}},
    .build = [](Graph&, std::span<const Value> in) -> std::vector<Value> {
      return {scatter_add({}, in[2].shape(), in[0], in[1])};
    },
    .reference =
        [](std::span<const std::vector<double>> in) {
          return FlatArrays{scattered(std::vector<double>(15), in[0], in[1])};
        },
    .bench_inputs = {{.type = {i32, {3200}}, .low = 0, .high = 10000, .index_of = CaseAxis{2, 0}},
                     {{f32, {3200, 512}}},
                     {.type = {f32, {10000, 512}}, .differentiable = false}},
}};

const RegisterOpCase case_scatter_add_base{{
    .name = "scatter_add/base",
    .inputs = {{.type = {i32, {2, 2}}, .values = {1, 3, -1, 1}}, {{f32, {2, 2, 3}}}, {{f32, {5, 3}}}},
    .build = [](Graph&, std::span<const Value> in) -> std::vector<Value> {
      return {scatter_add(in[2], in[2].shape(), in[0], in[1])};
    },
    .reference = [](std::span<const std::vector<double>> in) { return FlatArrays{scattered(in[2], in[0], in[1])}; },
    .bench_inputs = {{.type = {i32, {3200}}, .low = 0, .high = 10000, .index_of = CaseAxis{2, 0}},
                     {{f32, {3200, 512}}},
                     {{f32, {10000, 512}}}},
}};

const RegisterOpCase case_gather_rows{{
    .name = "gather_rows",
    .inputs = {{{f32, {5, 3}}}, {.type = {i32, {2, 3}}, .values = {4, -1, 0, 4, 2, 2}}},
    .build = [](Graph&, std::span<const Value> in) -> std::vector<Value> { return {gather_rows(in[0], in[1])}; },
    .reference =
        [](std::span<const std::vector<double>> in) {
          std::vector<double> rows;
          for (const double index : in[1])
            for (std::size_t j = 0; j < 3; ++j)
              rows.push_back(index < 0 ? 0 : in[0][static_cast<std::size_t>(index) * 3 + j]);
          return FlatArrays{rows};
        },
    .bench_inputs = {{{f32, {10000, 512}}},
                     {.type = {i32, {100, 32}}, .low = 0, .high = 10000, .index_of = CaseAxis{0, 0}}},
}};

const RegisterOpCase case_coalesce{{
    .name = "coalesce",
    .inputs = {{.type = {i32, {4}}, .values = {4, -1, 0, 4}},
               {{f32, {4, 3}}},
               {.type = {i32, {2}}, .values = {2, 4}},
               {{f32, {2, 3}}},
               {.type = {f32, {5, 3}}, .differentiable = false}},
    .build = [](Graph&, std::span<const Value> in) -> std::vector<Value> {
      const RowSparse one = coalesce(std::vector<RowSparse>{{in[0], in[1]}, {in[2], in[3]}}, in[4].shape());
      return {one.indices, one.rows};
    },
    .reference =
        [](std::span<const std::vector<double>> in) {
          const std::vector<double> table = scattered(scattered(std::vector<double>(15), in[0], in[1]), in[2], in[3]);
          std::vector<double> rows(18);
          for (std::size_t j = 0; j < 3; ++j) {
            rows[j] = table[j];
            rows[3 + j] = table[2 * 3 + j];
            rows[6 + j] = table[4 * 3 + j];
          }
          return FlatArrays{{0, 2, 4, -1, -1, -1}, rows};
        },
    // Words that are read, and words that are drawn as negatives.
    .bench_inputs = {{.type = {i32, {3200}}, .low = 0, .high = 10000, .index_of = CaseAxis{4, 0}},
                     {{f32, {3200, 256}}},
                     {.type = {i32, {1024}}, .low = 0, .high = 10000, .index_of = CaseAxis{4, 0}},
                     {{f32, {1024, 256}}},
                     {.type = {f32, {10000, 256}}, .differentiable = false}},
}};

const RegisterOpCase case_copy{unary_case(
    "copy", [](Operand x) { return copy_of(x.value); }, [](double x) { return x; })};

const RegisterOpCase case_full{{
    .name = "full",
    .inputs = {{{f32, {2, 3}}, -1, 1, false}, {{f32, {2}}, -1, 1, false}},
    .build = [](Graph& graph, std::span<const Value> in) -> std::vector<Value> {
      return {full(graph, {f32, in[0].shape()}, -1.5F), full(graph, {i32, in[1].shape()}, 7),
              full(graph, {boolean, in[1].shape()}, 1)};
    },
    .reference =
        [](std::span<const std::vector<double>>) {
          return FlatArrays{std::vector<double>(6, -1.5), {7, 7}, {1, 1}};
        },
    .bench_inputs = {{{f32, {3200, 512}}, -1, 1, false}, {{f32, {3200}}, -1, 1, false}},
}};

const RegisterOpCase case_after{{
    .name = "after",
    .inputs = {{{f32, {3, 2}}}, {{f32, {4}}, -1, 1, false}},
    .build = [](Graph&, std::span<const Value> in) -> std::vector<Value> { return {after(in[0], {copy_of(in[1])})}; },
    .reference = [](std::span<const std::vector<double>> in) { return FlatArrays{in[0]}; },
    .bench_inputs = {{{f32, {3200, 512}}}, {{f32, {512}}, -1, 1, false}},
}};

}  // namespace
}  // namespace eddy
