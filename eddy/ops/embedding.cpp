// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/embedding.h"

#include "eddy/graph/builtin.h"
#include "eddy/graph/graph.h"
#include "eddy/ops/argument.h"
#include "eddy/ops/op_case.h"

namespace eddy {

Value embedding(Operand table, Operand tokens) {
  require_argument(value_of("embedding", table).rank() == 2, "embedding", table,
                   "the table must be [vocabulary, size], it is {}", to_string(table.value.type()));
  require_argument(value_of("embedding", tokens).dtype() == i32, "embedding", tokens,
                   "the tokens must be i32, they are {}", to_string(tokens.value.type()));
  return gather_rows(table, tokens);
}

namespace {

const RegisterOpCase case_embedding{{
    .name = "gather_rows/embedding",
    .inputs = {{{f32, {5, 3}}}, {.type = {i32, {3, 2}}, .values = {4, 0, -1, 4, 2, 0}}},
    .build = [](Graph&, std::span<const Value> in) -> std::vector<Value> { return {embedding(in[0], in[1])}; },
    .reference =
        [](std::span<const std::vector<double>> in) {
          std::vector<double> out;
          for (const double token : in[1])
            for (std::size_t j = 0; j < 3; ++j)
              out.push_back(token < 0 ? 0.0 : in[0][static_cast<std::size_t>(token) * 3 + j]);
          return FlatArrays{out};
        },
    .bench_inputs = {{{f32, {10000, 512}}},
                     {.type = {i32, {100, 32}}, .low = 0, .high = 10000, .index_of = CaseAxis{0, 0}}},
}};

}  // namespace
}  // namespace eddy
