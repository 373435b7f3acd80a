// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/mean_squared_error.h"

#include "eddy/graph/user_line.h"
#include "eddy/ops/broadcast_to.h"
#include "eddy/ops/div.h"
#include "eddy/ops/elementwise.h"
#include "eddy/ops/mean.h"
#include "eddy/ops/mean_divisor.h"
#include "eddy/ops/mul.h"
#include "eddy/ops/op_case.h"
#include "eddy/ops/square.h"
#include "eddy/ops/sub.h"
#include "eddy/ops/sum.h"

namespace eddy {
namespace {

constexpr std::string_view kFunction = "mean_squared_error";

Value squared_error(const Operand& prediction, const Operand& target) {
  const Value p = value_of(kFunction, prediction);
  const Value error = sub(prediction, target);
  require_at(error.shape() == p.shape(), prediction.where, kFunction,
             "the target does not broadcast to the prediction {}", to_string(p.type()));
  return square({error, prediction.where});
}

}  // namespace

Value mean_squared_error(Operand prediction, Operand target) {
  return mean({squared_error(prediction, target), prediction.where});
}

Value mean_squared_error(Operand prediction, Operand target, Operand weights) {
  const SourceLocation at = prediction.where;
  const Value squared = squared_error(prediction, target);
  const Value w = broadcast_to(weights, squared.shape());
  const Value divisor = mean_divisor({sum({w, at}), at});
  return div({sum({mul({squared, at}, {w, at}), at}), at}, {divisor, at});
}

namespace {

double weighted(std::span<const std::vector<double>> x, std::size_t targets, std::size_t columns) {
  double total = 0;
  double weight = 0;
  for (std::size_t i = 0; i < x[0].size(); ++i) {
    const double error = x[0][i] - x[1][i % targets];
    const double w = x.size() > 2 ? x[2][i / columns] : 1;
    total += w * error * error;
    weight += w;
  }
  return weight == 0 ? 0 : total / weight;
}

Value build_weighted(std::span<const Value> x) { return mean_squared_error(x[0], x[1], x[2]); }

const RegisterOpCase case_plain{{
    .name = "mean_squared_error",
    .inputs = {{{f32, {3, 5}}}, {{f32, {3, 5}}}},
    .build = [](Graph&, std::span<const Value> x) -> std::vector<Value> { return {mean_squared_error(x[0], x[1])}; },
    .reference = [](std::span<const std::vector<double>> x) { return FlatArrays{{weighted(x, 15, 5)}}; },
    .bench_inputs = {{{f32, {3200, 512}}}, {{f32, {3200, 512}}}},
}};
const RegisterOpCase case_weighted{{
    .name = "mean_squared_error/weights",
    .inputs = {{{f32, {3, 5}}}, {{f32, {5}}}, {{f32, {3, 1}}, 0.5F, 2}},
    .build = [](Graph&, std::span<const Value> x) -> std::vector<Value> { return {build_weighted(x)}; },
    .reference = [](std::span<const std::vector<double>> x) { return FlatArrays{{weighted(x, 5, 5)}}; },
}};
const RegisterOpCase case_no_weight{{
    .name = "mean_squared_error/zero_weights",
    .inputs = {{{f32, {3, 5}}}, {{f32, {5}}}, {.type = {f32, {3, 1}}, .differentiable = false, .values = {0, 0, 0}}},
    .build = [](Graph&, std::span<const Value> x) -> std::vector<Value> { return {build_weighted(x)}; },
    .reference = [](std::span<const std::vector<double>> x) { return FlatArrays{{weighted(x, 5, 5)}}; },
}};

}  // namespace
}  // namespace eddy
