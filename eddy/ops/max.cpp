// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/max.h"

#include <algorithm>
#include <limits>

#include "eddy/core/math.h"
#include "eddy/ops/elementwise.h"
#include "eddy/ops/reduce_cases.h"
#include "eddy/ops/reduce_kernel.h"
#include "eddy/ops/share_among_equal.h"

namespace eddy {
namespace {

struct FloatMax {
  using In = float;
  using Sum = float;
  using Out = float;

  static Sum start() { return -std::numeric_limits<float>::infinity(); }
  static Sum join(Sum a, Sum b) { return ((a > b) | (a != a)) ? a : b; }
  static Out finish(Sum sum) { return sum; }
  static Sum row(const In* in, std::int64_t n) { return vector_max_value(in, n); }
  static void rows(Sum* sums, const In* in, std::int64_t stride, std::int64_t rows, std::int64_t n) {
    for (std::int64_t row = 0; row < rows; ++row) vector_max(sums, in + row * stride, sums, n);
  }
};

struct IntegerMax {
  using In = std::int32_t;
  using Sum = std::int32_t;
  using Out = std::int32_t;

  static Sum start() { return -2147483647 - 1; }
  static Sum join(Sum a, Sum b) { return std::max(a, b); }
  static Out finish(Sum sum) { return sum; }
  static Sum row(const In* in, std::int64_t n) {
    Sum best = start();
    for (std::int64_t i = 0; i < n; ++i) best = std::max(best, in[i]);
    return best;
  }
  static void rows(Sum* sums, const In* in, std::int64_t stride, std::int64_t rows, std::int64_t n) {
    for (std::int64_t row = 0; row < rows; ++row)
      for (std::int64_t i = 0; i < n; ++i) sums[i] = std::max(sums[i], in[row * stride + i]);
  }
};

struct Max final : ReduceOp<Max> {
  static constexpr std::string_view kName = "max";
  static constexpr bool kIntegers = true;
  using ReduceOp::ReduceOp;

  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override {
    std::vector<TensorType> types = ReduceOp::infer(inputs);
    require<GraphError>(count(inputs[0].shape) > 0, "there is no max of nothing: x is {}", to_string(inputs[0]));
    return types;
  }
  std::vector<Gradient> gradient(const GradientContext& context) const override {
    return {share_among_equal(context.in(0), context.out(0), context.d_out(0), *this)};
  }
  std::vector<Value> simplify(std::span<const Value> inputs) const override {
    if (result(inputs[0].shape()) == inputs[0].shape()) return {inputs[0]};
    return {};
  }
  Kernel kernel(const Shape& x, DType dtype) const {
    return dtype == i32 ? reduce_kernel(x, axes, IntegerMax{}) : reduce_kernel(x, axes, FloatMax{});
  }
};

}  // namespace

Value max(Operand x, Axes axes, bool keep_dims) {
  return unary_node(Max(ReducedAxes(axes, keep_dims, value_of(Max::kName, x).rank())), x);
}

namespace {

double best_of(std::span<const double> values) { return *std::ranges::max_element(values); }

const RegisterReduceCases cases("max", max, best_of);
const RegisterOpCase case_integers{reduce_case("max/i32", {i32, {3, 4, 5}}, {0, 2}, false, max, best_of)};
const RegisterOpCase case_integer_rows{reduce_case("max/i32_rows", {i32, {3, 4, 5}}, {1}, true, max, best_of)};

}  // namespace
}  // namespace eddy
