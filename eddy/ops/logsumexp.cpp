// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/logsumexp.h"

#include <cmath>
#include <limits>

#include "eddy/core/math.h"
#include "eddy/ops/axis_cases.h"
#include "eddy/ops/axis_split.h"
#include "eddy/ops/broadcast_to.h"
#include "eddy/ops/elementwise.h"
#include "eddy/ops/exp.h"
#include "eddy/ops/mul.h"
#include "eddy/ops/reduce.h"
#include "eddy/ops/sub.h"

namespace eddy {

void log_sum_exp_columns(const float* x, std::int64_t size, std::int64_t stride, std::int64_t columns, float* largest,
                         float* log_total) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  float term[AxisSplit::kStrip];
  std::fill_n(largest, columns, -kInfinity);
  for (std::int64_t k = 0; k < size; ++k) vector_max(largest, x + k * stride, largest, columns);
  // A column of only -inf has no difference to its largest element, nor has one with +inf.
  for (std::int64_t i = 0; i < columns; ++i)
    if (largest[i] == -kInfinity || largest[i] == kInfinity) largest[i] = 0;
  std::fill_n(log_total, columns, 0.0F);
  for (std::int64_t k = 0; k < size; ++k) {
    vector_sub(x + k * stride, largest, term, columns);
    vector_exp(term, term, columns);
    vector_add(log_total, term, log_total, columns);
  }
  vector_log(log_total, log_total, columns);
}

namespace {

struct Logsumexp final : OpClass<Logsumexp> {
  static constexpr std::string_view kName = "logsumexp";
  int axis;
  bool keep_dims;
  Logsumexp(int a, bool keep) : axis(a), keep_dims(keep) {}
  static void attributes(auto& op, auto&& visit) {
    visit("axis", op.axis);
    visit("keep_dims", op.keep_dims);
  }

  ReducedAxes over(const Shape& x) const { return {Axes(axis), keep_dims, x.rank()}; }
  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override {
    require_dtype(inputs, f32);
    require<GraphError>(inputs[0].shape.dim(axis) > 0, "axis {} of x of type {} is empty", axis, inputs[0]);
    return {{f32, over(inputs[0].shape).result(inputs[0].shape)}};
  }
  std::vector<Gradient> gradient(const GradientContext& c) const override {
    const Shape& shape = c.in(0).shape();
    const std::vector<int> dropped = over(shape).dropped();
    return {exp(c.in(0) - broadcast_along(c.out(0), shape, dropped)) * broadcast_along(c.d_out(0), shape, dropped)};
  }
  Cost cost(std::span<const TensorType> inputs, std::span<const TensorType>) const override {
    return {.flops = (kExpFlops + 1) * static_cast<double>(inputs[0].shape.elements()),
            .bytes = static_cast<double>(inputs[0].bytes())};
  }
  Kernel make_kernel(const KernelContext& context) const override {
    const AxisSplit split(context.inputs[0].shape, axis);
    return {.run = [split](const KernelArgs& args) {
      const float* x = args.in<float>(0);
      float* y = args.out<float>(0);
      if (split.inner == 1) {
        split.for_rows([&](std::int64_t at) { y[at / split.size] = log_sum_exp(x + at, split.size); });
      } else {
        split.for_strips([&](std::int64_t at, std::int64_t width, std::int64_t column) {
          float largest[AxisSplit::kStrip];
          log_sum_exp_columns(x + at, split.size, split.inner, width, largest, y + column);
          vector_add(y + column, largest, y + column, width);
        });
      }
    }};
  }
};

}  // namespace

Value logsumexp(Operand x, int axis, bool keep_dims) { return unary_node(Logsumexp(axis, keep_dims), x); }

namespace {

std::vector<double> reference(const std::vector<double>& x) { return {plain_log_sum_exp(x)}; }

const RegisterAxisCases cases_dropped("logsumexp", [](Operand x, int axis) { return logsumexp(x, axis); }, reference,
                                      {3200, 10000});
const RegisterAxisCases cases_kept("logsumexp/kept", [](Operand x, int axis) { return logsumexp(x, axis, true); },
                                   reference, {3200, 512});

}  // namespace
}  // namespace eddy
