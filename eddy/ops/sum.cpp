// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/sum.h"

#include "eddy/graph/user_line.h"
#include "eddy/ops/broadcast_to.h"
#include "eddy/ops/elementwise.h"
#include "eddy/ops/op_case.h"
#include "eddy/ops/reduce_cases.h"
#include "eddy/ops/reduce_kernel.h"

namespace eddy {
namespace {

struct IntegerSum {
  using In = std::int32_t;
  using Sum = std::uint64_t;
  using Out = std::int32_t;

  static Sum start() { return 0; }
  static Sum join(Sum a, Sum b) { return a + b; }
  static Out finish(Sum sum) { return static_cast<Out>(sum); }
  static Sum row(const In* in, std::int64_t n) {
    Sum sum = 0;
    for (std::int64_t i = 0; i < n; ++i) sum += static_cast<Sum>(in[i]);
    return sum;
  }
  static void rows(Sum* sums, const In* in, std::int64_t stride, std::int64_t rows, std::int64_t n) {
    for (std::int64_t row = 0; row < rows; ++row)
      for (std::int64_t i = 0; i < n; ++i) sums[i] += static_cast<Sum>(in[row * stride + i]);
  }
};

struct SumOp final : ReduceOp<SumOp> {
  static constexpr std::string_view kName = "sum";
  static constexpr bool kIntegers = true;
  using ReduceOp::ReduceOp;

  std::vector<Gradient> gradient(const GradientContext& context) const override {
    return {broadcast_along(context.d_out(0), context.in(0).shape(), dropped())};
  }
  std::vector<Value> simplify(std::span<const Value> inputs) const override {
    if (result(inputs[0].shape()) == inputs[0].shape()) return {inputs[0]};
    return {};
  }
  std::vector<Value> over_time(const TimeContext& context) const override {
    const auto after_time = [](std::vector<int> list) {
      for (int& axis : list) ++axis;
      return list;
    };
    return {sum_along(context.in(0), after_time(axes), after_time(kept))};
  }
  Value summed_over_time(const TimeContext& context) const override {
    std::vector<int> all{0}, staying;
    for (const int axis : axes) all.push_back(axis + 1);
    for (const int axis : kept) staying.push_back(axis + 1);
    return sum_along(context.in(0), std::move(all), std::move(staying));
  }
  Kernel kernel(const Shape& x, DType dtype) const {
    return dtype == i32 ? reduce_kernel(x, axes, IntegerSum{}) : reduce_kernel(x, axes, FloatSum{});
  }
};

}  // namespace

Value sum_along(Operand x, std::vector<int> axes, std::vector<int> kept) {
  return unary_node(SumOp(ReducedAxes(std::move(axes), std::move(kept))), x);
}

Value sum(Operand x, Axes axes, bool keep_dims) {
  return unary_node(SumOp(ReducedAxes(axes, keep_dims, value_of(SumOp::kName, x).rank())), x);
}

Value sum_to(Operand x, const Shape& shape) {
  const Value value = value_of(SumOp::kName, x);
  require_at(broadcasts_to(shape, value.shape()), x.where, "sum_to", "{} does not broadcast to x of type {}",
             to_string(shape), to_string(value.type()));
  const int extra = value.rank() - shape.rank();
  std::vector<int> axes;
  std::vector<int> kept;
  for (int axis = 0; axis < value.rank(); ++axis) {
    if (axis >= extra && shape[axis - extra] == value.shape()[axis]) continue;
    axes.push_back(axis);
    if (axis >= extra) kept.push_back(axis);
  }
  return axes.empty() ? value : sum_along(x, std::move(axes), std::move(kept));
}

namespace {

double add_up(std::span<const double> values) {
  double total = 0;
  for (const double value : values) total += value;
  return total;
}

const RegisterReduceCases cases_sum("sum", sum, add_up);
const RegisterOpCase case_sum_integers{reduce_case("sum/i32", {i32, {3, 4, 5}}, {0, 2}, false, sum, add_up)};
const RegisterOpCase case_sum_integer_rows{reduce_case("sum/i32_rows", {i32, {3, 4, 5}}, {1}, true, sum, add_up)};
const RegisterOpCase case_sum_to{{
    .name = "sum/to",
    .inputs = {{{f32, {2, 3, 5}}}},
    .build = [](Graph&, std::span<const Value> x) -> std::vector<Value> {
      return {sum_to(x[0], {3, 1})};
    },
    .reference =
        [](std::span<const std::vector<double>> x) {
          FlatArrays result{std::vector<double>(3)};
          for (std::size_t i = 0; i < 30; ++i) result[0][i / 5 % 3] += x[0][i];
          return result;
        },
}};

}  // namespace
}  // namespace eddy
