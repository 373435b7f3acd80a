// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/mean.h"

#include "eddy/ops/broadcast_to.h"
#include "eddy/ops/elementwise.h"
#include "eddy/ops/mul.h"
#include "eddy/ops/reduce_cases.h"
#include "eddy/ops/reduce_kernel.h"

namespace eddy {
namespace {

struct Mean final : ReduceOp<Mean> {
  static constexpr std::string_view kName = "mean";
  static constexpr bool kIntegers = false;
  using ReduceOp::ReduceOp;

  double scale(const Shape& x) const { return 1.0 / static_cast<double>(count(x)); }
  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override {
    std::vector<TensorType> types = ReduceOp::infer(inputs);
    require<GraphError>(count(inputs[0].shape) > 0, "there is no mean of nothing: x is {}", inputs[0]);
    return types;
  }
  std::vector<Gradient> gradient(const GradientContext& context) const override {
    const Shape& shape = context.in(0).shape();
    return {broadcast_along(context.d_out(0) * scale(shape), shape, dropped())};
  }
  std::vector<Value> simplify(std::span<const Value> inputs) const override {
    if (result(inputs[0].shape()) == inputs[0].shape()) return {inputs[0]};
    return {};
  }
  Kernel kernel(const Shape& x, DType) const { return reduce_kernel(x, axes, FloatSum{.scale = scale(x)}); }
};

}  // namespace

Value mean(Operand x, Axes axes, bool keep_dims) {
  return unary_node(Mean(ReducedAxes(axes, keep_dims, value_of(Mean::kName, x).rank())), x);
}

const RegisterReduceCases cases_mean("mean", mean, [](std::span<const double> values) {
  double total = 0;
  for (const double value : values) total += value;
  return total / static_cast<double>(values.size());
});

}  // namespace eddy
