// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/log_softmax.h"

#include <cmath>

#include "eddy/core/math.h"
#include "eddy/ops/axis_cases.h"
#include "eddy/ops/axis_split.h"
#include "eddy/ops/elementwise.h"
#include "eddy/ops/exp.h"
#include "eddy/ops/logsumexp.h"
#include "eddy/ops/mul.h"
#include "eddy/ops/neg.h"
#include "eddy/ops/sub.h"
#include "eddy/ops/sum.h"

namespace eddy {
namespace {

void gradient_strip(const float* dy, const float* y, float* dx, const AxisSplit& split, std::int64_t width) {
  float total[AxisSplit::kStrip] = {};
  float probability[AxisSplit::kStrip];
  for (std::int64_t k = 0; k < split.size; ++k) vector_add(total, dy + k * split.inner, total, width);
  for (std::int64_t k = 0; k < split.size; ++k) {
    const std::int64_t row = k * split.inner;
    vector_exp(y + row, probability, width);
    for (std::int64_t i = 0; i < width; ++i) dx[row + i] = dy[row + i] - probability[i] * total[i];
  }
}

/// dx = dy - exp(y) * sum(dy) of a row, block by block, as dx may be dy or y.
void gradient_row(const float* dy, const float* y, float* dx, std::int64_t n) {
  constexpr std::int64_t kBlock = 512;
  float term[kBlock];
  const auto total = static_cast<float>(vector_sum(dy, n));
  for (std::int64_t from = 0; from < n; from += kBlock) {
    const std::int64_t count = std::min(kBlock, n - from);
    exp_shifted_scaled(y + from, 0, total, term, count);
    vector_sub(dy + from, term, dx + from, count);
  }
}

/// dx = dy - exp(y) * sum(dy), from dy and y.
struct LogSoftmaxGradient final : OpClass<LogSoftmaxGradient> {
  static constexpr std::string_view kName = "log_softmax_gradient";
  int axis;
  explicit LogSoftmaxGradient(int a) : axis(a) {}
  static void attributes(auto& op, auto&& visit) { visit("axis", op.axis); }

  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override { return {inputs[0]}; }
  std::vector<Gradient> gradient(const GradientContext& c) const override {
    std::vector<Gradient> result(2);
    const Value d = c.d_out(0);
    const Value weighted = d * exp(c.in(1));
    if (c.needs(0)) result[0] = d - sum(weighted, axis, true);
    if (c.needs(1)) result[1] = -(weighted * sum(c.in(0), axis, true));
    return result;
  }
  Cost cost(std::span<const TensorType> inputs, std::span<const TensorType>) const override {
    return {.flops = 11 * static_cast<double>(inputs[0].shape.elements()),
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
        split.for_rows([&](std::int64_t at) { gradient_row(dy + at, y + at, dx + at, split.size); });
      } else {
        split.for_strips([&](std::int64_t at, std::int64_t width, std::int64_t) {
          gradient_strip(dy + at, y + at, dx + at, split, width);
        });
      }
    }};
  }
};

struct LogSoftmax final : OpClass<LogSoftmax> {
  static constexpr std::string_view kName = "log_softmax";
  int axis;
  explicit LogSoftmax(int a) : axis(a) {}
  static void attributes(auto& op, auto&& visit) { visit("axis", op.axis); }

  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override {
    require_dtype(inputs, f32);
    require<GraphError>(inputs[0].shape.dim(axis) > 0, "axis {} of x of type {} is empty", axis, to_string(inputs[0]));
    return {inputs[0]};
  }
  std::vector<Gradient> gradient(const GradientContext& c) const override {
    return {add_node(c.d_out(0).graph(), LogSoftmaxGradient(axis), {c.d_out(0), c.out(0)}, SourceLocation::current())};
  }
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
        split.for_rows([&](std::int64_t at) { log_softmax_row(x + at, y + at, split.size); });
      } else {
        split.for_strips([&](std::int64_t at, std::int64_t width, std::int64_t) {
          float largest[AxisSplit::kStrip];
          float log_total[AxisSplit::kStrip];
          log_sum_exp_columns(x + at, split.size, split.inner, width, largest, log_total);
          for (std::int64_t k = 0; k < split.size; ++k) {
            float* row = y + at + k * split.inner;
            vector_sub(x + at + k * split.inner, largest, row, width);
            vector_sub(row, log_total, row, width);
          }
        });
      }
    }};
  }
};

}  // namespace

Value log_softmax(Operand x, int axis) { return unary_node(LogSoftmax(axis), x); }

const RegisterAxisCases cases_log_softmax("log_softmax", log_softmax,
                                          [](const std::vector<double>& x) {
                                            const double largest = *std::ranges::max_element(x);
                                            double total = 0;
                                            for (const double v : x) total += std::exp(v - largest);
                                            std::vector<double> y;
                                            for (const double v : x) y.push_back(v - largest - std::log(total));
                                            return y;
                                          },
                                          {3200, 10000});

}  // namespace eddy
