// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/clamp.h"

#include "eddy/ops/elementwise.h"
#include "eddy/ops/op_case.h"

namespace eddy {
namespace {

struct ClampGradient final : DerivativeOp<ClampGradient> {
  static constexpr std::string_view kName = "clamp_gradient";
  float low = 0;
  float high = 0;
  ClampGradient(float l, float h) : low(l), high(h) {}
  static void attributes(auto& op, auto&& visit) {
    visit("low", op.low);
    visit("high", op.high);
  }
  void span(const float* dy, const float* x, float* dx, std::int64_t n) const {
    const float from = low;
    const float to = high;
    EDDY_INDEPENDENT_ITERATIONS
    for (std::int64_t i = 0; i < n; ++i) dx[i] = ((x[i] >= from) & (x[i] <= to)) ? dy[i] : 0.0F;
  }
  static Value slope(Value) { return {}; }
};

struct Clamp final : UnaryOp<Clamp> {
  static constexpr std::string_view kName = "clamp";
  float low = 0;
  float high = 0;
  Clamp(float l, float h) : low(l), high(h) {}
  static void attributes(auto& op, auto&& visit) {
    visit("low", op.low);
    visit("high", op.high);
  }
  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override {
    require<GraphError>(low <= high, "the lower limit {} is above the upper limit {}", low, high);
    return UnaryOp::infer(inputs);
  }
  void span(const float* x, float* y, std::int64_t n) const {
    const float from = low;
    const float to = high;
    EDDY_INDEPENDENT_ITERATIONS
    for (std::int64_t i = 0; i < n; ++i) {
      const float above = x[i] < from ? from : x[i];
      y[i] = above > to ? to : above;
    }
  }
  Value derivative(const GradientContext& c) const {
    return derivative_node(c.d_out(0), c.in(0), ClampGradient(low, high));
  }
};

}  // namespace

Value clamp(Operand x, float low, float high) { return unary_node(Clamp(low, high), x); }

Value narrow(Operand x) { return clamp(x, -0.5F, 1); }

const RegisterOpCase case_clamp{unary_case(
    "clamp", narrow, [](double x) { return x; }, -0.4F, 0.9F)};
const RegisterOpCase case_clamp_below{unary_case(
    "clamp/below", narrow, [](double) { return -0.5; }, -3, -0.6F)};
const RegisterOpCase case_clamp_above{unary_case(
    "clamp/above", narrow, [](double) { return 1.0; }, 1.25F, 3)};

}  // namespace eddy
