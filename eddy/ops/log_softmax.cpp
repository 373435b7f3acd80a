// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/log_softmax.h"

#include <cmath>

#include "eddy/core/math.h"
#include "eddy/ops/axis_cases.h"
#include "eddy/ops/exp.h"
#include "eddy/ops/logsumexp.h"
#include "eddy/ops/mul.h"
#include "eddy/ops/neg.h"
#include "eddy/ops/softmax_op.h"
#include "eddy/ops/sub.h"
#include "eddy/ops/sum.h"

namespace eddy {
namespace {

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
struct LogSoftmaxGradient final : SoftmaxGradientOp<LogSoftmaxGradient> {
  static constexpr std::string_view kName = "log_softmax_gradient";
  static constexpr double kFlops = kExpFlops + 1;
  using SoftmaxGradientOp::SoftmaxGradientOp;

  static void row(const float* dy, const float* y, float* dx, std::int64_t n) { gradient_row(dy, y, dx, n); }
  static void strip(const float* dy, const float* y, float* dx, const AxisSplit& split, std::int64_t width) {
    float total[AxisSplit::kStrip] = {};
    float probability[AxisSplit::kStrip];
    for (std::int64_t k = 0; k < split.size; ++k) vector_add(total, dy + k * split.inner, total, width);
    for (std::int64_t k = 0; k < split.size; ++k) {
      const std::int64_t row = k * split.inner;
      vector_exp(y + row, probability, width);
      for (std::int64_t i = 0; i < width; ++i) dx[row + i] = dy[row + i] - probability[i] * total[i];
    }
  }
  std::vector<Gradient> gradient(const GradientContext& c) const override {
    std::vector<Gradient> result(2);
    const Value d = c.d_out(0);
    const Value weighted = d * exp(c.in(1));
    if (c.needs(0)) result[0] = d - sum(weighted, axis, true);
    if (c.needs(1)) result[1] = -(weighted * sum(c.in(0), axis, true));
    return result;
  }
};

struct LogSoftmax final : SoftmaxOp<LogSoftmax, LogSoftmaxGradient> {
  static constexpr std::string_view kName = "log_softmax";
  static constexpr double kFlops = kExpFlops + 2;
  using SoftmaxOp::SoftmaxOp;

  static void row(const float* x, float* y, std::int64_t n) { log_softmax_row(x, y, n); }
  static void strip(const float* x, float* y, const AxisSplit& split, std::int64_t width) {
    float largest[AxisSplit::kStrip];
    float log_total[AxisSplit::kStrip];
    log_sum_exp_columns(x, split.size, split.inner, width, largest, log_total);
    for (std::int64_t k = 0; k < split.size; ++k) {
      float* row = y + k * split.inner;
      vector_sub(x + k * split.inner, largest, row, width);
      vector_sub(row, log_total, row, width);
    }
  }
};

}  // namespace

Value log_softmax(Operand x, int axis) { return unary_node(LogSoftmax(axis), x); }

const RegisterAxisCases cases_log_softmax("log_softmax", log_softmax,
                                          [](const std::vector<double>& x) {
                                            std::vector<double> y;
                                            const double total = plain_log_sum_exp(x);
                                            for (const double v : x) y.push_back(v - total);
                                            return y;
                                          },
                                          {3200, 10000});

}  // namespace eddy
