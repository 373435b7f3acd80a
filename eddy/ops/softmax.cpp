// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/softmax.h"

#include <cmath>

#include "eddy/core/math.h"
#include "eddy/ops/add.h"
#include "eddy/ops/axis_cases.h"
#include "eddy/ops/axis_split.h"
#include "eddy/ops/elementwise.h"
#include "eddy/ops/mul.h"
#include "eddy/ops/sub.h"
#include "eddy/ops/sum.h"

namespace eddy {
namespace {

void softmax_strip(const float* x, float* y, const AxisSplit& split, std::int64_t width) {
  float largest[AxisSplit::kStrip];
  float total[AxisSplit::kStrip];
  std::copy_n(x, width, largest);
  for (std::int64_t k = 1; k < split.size; ++k) vector_max(largest, x + k * split.inner, largest, width);
  std::fill_n(total, width, 0.0F);
  for (std::int64_t k = 0; k < split.size; ++k) {
    float* row = y + k * split.inner;
    vector_sub(x + k * split.inner, largest, row, width);
    vector_exp(row, row, width);
    vector_add(total, row, total, width);
  }
  for (std::int64_t i = 0; i < width; ++i) total[i] = 1 / total[i];
  for (std::int64_t k = 0; k < split.size; ++k) vector_mul(y + k * split.inner, total, y + k * split.inner, width);
}

void gradient_strip(const float* dy, const float* y, float* dx, const AxisSplit& split, std::int64_t width) {
  float dot[AxisSplit::kStrip] = {};
  for (std::int64_t k = 0; k < split.size; ++k) vector_mul_add(dy + k * split.inner, y + k * split.inner, dot, width);
  for (std::int64_t k = 0; k < split.size; ++k)
    for (std::int64_t i = k * split.inner; i < k * split.inner + width; ++i)
      dx[i] = y[i] * (dy[i] - dot[i - k * split.inner]);
}

/// dx = y * (dy - sum(dy * y)), from dy and y.
struct SoftmaxGradient final : OpClass<SoftmaxGradient> {
  static constexpr std::string_view kName = "softmax_gradient";
  int axis;
  explicit SoftmaxGradient(int a) : axis(a) {}
  static void attributes(auto& op, auto&& visit) { visit("axis", op.axis); }

  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override { return {inputs[0]}; }
  std::vector<Gradient> gradient(const GradientContext& c) const override {
    std::vector<Gradient> result(2);
    const Value d = c.d_out(0);
    const Value dy = c.in(0);
    const Value y = c.in(1);
    if (c.needs(0)) result[0] = add_node(d.graph(), SoftmaxGradient(axis), {d, y}, SourceLocation::current());
    if (c.needs(1)) result[1] = d * (dy - sum(dy * y, axis, true)) - dy * sum(d * y, axis, true);
    return result;
  }
  Cost cost(std::span<const TensorType> inputs, std::span<const TensorType>) const override {
    return {.flops = 4 * static_cast<double>(inputs[0].shape.elements()),
            .bytes = 3 * static_cast<double>(inputs[0].bytes())};
  }
  std::vector<Alias> aliases(std::span<const TensorType> inputs, std::span<const TensorType> outputs) const override {
    return share_equal_sizes(inputs, outputs);
  }
  Kernel make_kernel(const KernelContext& context) const override {
    const AxisSplit split(context.inputs[0].shape, axis);
    return {.run = [split](const KernelArgs& args) {
      const float* dy = args.in<float>(0);
      const float* y = args.in<float>(1);
      float* dx = args.out<float>(0);
      if (split.inner == 1) {
        split.for_rows([&](std::int64_t at) { softmax_row_gradient(dy + at, y + at, dx + at, split.size); });
      } else {
        split.for_strips([&](std::int64_t at, std::int64_t width, std::int64_t) {
          gradient_strip(dy + at, y + at, dx + at, split, width);
        });
      }
    }};
  }
};

struct Softmax final : OpClass<Softmax> {
  static constexpr std::string_view kName = "softmax";
  int axis;
  explicit Softmax(int a) : axis(a) {}
  static void attributes(auto& op, auto&& visit) { visit("axis", op.axis); }

  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override {
    require_dtype(inputs, f32);
    require<GraphError>(inputs[0].shape.dim(axis) > 0, "axis {} of x of type {} is empty", axis, to_string(inputs[0]));
    return {inputs[0]};
  }
  std::vector<Gradient> gradient(const GradientContext& c) const override {
    return {add_node(c.d_out(0).graph(), SoftmaxGradient(axis), {c.d_out(0), c.out(0)}, SourceLocation::current())};
  }
  /// Largest, difference, exp (8), sum and product.
  Cost cost(std::span<const TensorType> inputs, std::span<const TensorType>) const override {
    return {.flops = 12 * static_cast<double>(inputs[0].shape.elements()),
            .bytes = 2 * static_cast<double>(inputs[0].bytes())};
  }
  std::vector<Alias> aliases(std::span<const TensorType> inputs, std::span<const TensorType> outputs) const override {
    return share_equal_sizes(inputs, outputs);
  }
  Kernel make_kernel(const KernelContext& context) const override {
    const AxisSplit split(context.inputs[0].shape, axis);
    return {.run = [split](const KernelArgs& args) {
      const float* x = args.in<float>(0);
      float* y = args.out<float>(0);
      if (split.inner == 1) {
        split.for_rows([&](std::int64_t at) { softmax_row(x + at, y + at, split.size); });
      } else {
        split.for_strips(
            [&](std::int64_t at, std::int64_t width, std::int64_t) { softmax_strip(x + at, y + at, split, width); });
      }
    }};
  }
};

}  // namespace

Value softmax(Operand x, int axis) { return unary_node(Softmax(axis), x); }

const RegisterAxisCases cases_softmax("softmax", softmax,
                                      [](const std::vector<double>& x) {
                                        const double largest = *std::ranges::max_element(x);
                                        double total = 0;
                                        for (const double v : x) total += std::exp(v - largest);
                                        std::vector<double> y;
                                        for (const double v : x) y.push_back(std::exp(v - largest) / total);
                                        return y;
                                      },
                                      {3200, 10000});

}  // namespace eddy
