// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/softmax.h"

#include <cmath>

#include "eddy/core/math.h"
#include "eddy/ops/add.h"
#include "eddy/ops/axis_cases.h"
#include "eddy/ops/mul.h"
#include "eddy/ops/softmax_op.h"
#include "eddy/ops/sub.h"
#include "eddy/ops/sum.h"

namespace eddy {
namespace {

/// dx = y * (dy - sum(dy * y)), from dy and y.
struct SoftmaxGradient final : SoftmaxGradientOp<SoftmaxGradient> {
  static constexpr std::string_view kName = "softmax_gradient";
  static constexpr double kFlops = 4;
  using SoftmaxGradientOp::SoftmaxGradientOp;

  static void row(const float* dy, const float* y, float* dx, std::int64_t n) { softmax_row_gradient(dy, y, dx, n); }
  static void strip(const float* dy, const float* y, float* dx, const AxisSplit& split, std::int64_t width) {
    float dot[AxisSplit::kStrip] = {};
    for (std::int64_t k = 0; k < split.size; ++k) vector_mul_add(dy + k * split.inner, y + k * split.inner, dot, width);
    for (std::int64_t k = 0; k < split.size; ++k)
      for (std::int64_t i = k * split.inner; i < k * split.inner + width; ++i)
        dx[i] = y[i] * (dy[i] - dot[i - k * split.inner]);
  }
  std::vector<Gradient> gradient(const GradientContext& c) const override {
    std::vector<Gradient> result(2);
    const Value d = c.d_out(0);
    const Value dy = c.in(0);
    const Value y = c.in(1);
    if (c.needs(0)) result[0] = add_node(d.graph(), SoftmaxGradient(axis), {d, y}, SourceLocation::current());
    if (c.needs(1)) result[1] = d * (dy - sum(dy * y, axis, true)) - dy * sum(d * y, axis, true);
    return result;
  }
};

struct Softmax final : SoftmaxOp<Softmax, SoftmaxGradient> {
  static constexpr std::string_view kName = "softmax";
  /// Largest, difference, exp, sum and product.
  static constexpr double kFlops = kExpFlops + 2;
  using SoftmaxOp::SoftmaxOp;

  static void row(const float* x, float* y, std::int64_t n) { softmax_row(x, y, n); }
  static void strip(const float* x, float* y, const AxisSplit& split, std::int64_t width) {
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
};

}  // namespace

Value softmax(Operand x, int axis) { return unary_node(Softmax(axis), x); }

const RegisterAxisCases cases_softmax("softmax", softmax,
                                      [](const std::vector<double>& x) {
                                        std::vector<double> y;
                                        const double total = plain_log_sum_exp(x);
                                        for (const double v : x) y.push_back(std::exp(v - total));
                                        return y;
                                      },
                                      {3200, 10000});

}  // namespace eddy
