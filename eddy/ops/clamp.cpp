// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/clamp.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <string>

#include "eddy/ops/number_unary.h"

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

/// As i32, saturated.
std::int32_t whole_limit(double limit) {
  using Limits = std::numeric_limits<std::int32_t>;
  return static_cast<std::int32_t>(std::clamp<double>(limit, Limits::min(), Limits::max()));
}

/// The number with the fewest digits that is the same as an f32: 0.1F as a double is 0.10000000149011612 elsewhere.
double as_written(double limit) {
  const auto number = static_cast<float>(limit);
  const std::string digits = fmt::format("{}", number);
  double written = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), written);
  return static_cast<float>(written) == number ? written : static_cast<double>(number);
}

struct Clamp final : NumberUnaryOp<Clamp> {
  static constexpr std::string_view kName = "clamp";
  double low = 0;
  double high = 0;
  Clamp(double l, double h) : low(l), high(h) {}
  static void attributes(auto& op, auto&& visit) {
    visit("low", op.low);
    visit("high", op.high);
  }
  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override {
    require<GraphError>(low <= high, "the lower limit {} is above the upper limit {}", low, high);
    for (const double limit : {low, high})
      require<GraphError>(inputs[0].dtype == f32 || std::isinf(limit) || std::trunc(limit) == limit,
                          "the limit {} does not go with {}", limit, inputs[0]);
    return NumberUnaryOp::infer(inputs);
  }
  template <class T>
  static void limit(const T* x, T* y, std::int64_t n, T from, T to) {
    EDDY_INDEPENDENT_ITERATIONS
    for (std::int64_t i = 0; i < n; ++i) {
      const T above = x[i] < from ? from : x[i];
      y[i] = above > to ? to : above;
    }
  }
  void span(const float* x, float* y, std::int64_t n) const {
    limit(x, y, n, static_cast<float>(low), static_cast<float>(high));
  }
  void span(const std::int32_t* x, std::int32_t* y, std::int64_t n) const {
    limit(x, y, n, whole_limit(low), whole_limit(high));
  }
  Value derivative(const GradientContext& c) const {
    return derivative_node(c.d_out(0), c.in(0), ClampGradient(static_cast<float>(low), static_cast<float>(high)));
  }
};

}  // namespace

Value clamp(Operand x, double low, double high) {
  if (value_of(Clamp::kName, x).dtype() != f32) return unary_node(Clamp(low, high), x);
  return unary_node(Clamp(as_written(low), as_written(high)), x);
}

Value narrow(Operand x) { return clamp(x, -0.5F, 1); }

const RegisterOpCase case_clamp{unary_case(
    "clamp", narrow, [](double x) { return x; }, -0.4F, 0.9F)};
const RegisterOpCase case_clamp_below{unary_case(
    "clamp/below", narrow, [](double) { return -0.5; }, -3, -0.6F)};
const RegisterOpCase case_clamp_integers{integer_case(
    "clamp/i32", [](Operand x) { return clamp(x, -7, 40); }, [](double x) { return std::clamp(x, -7.0, 40.0); })};
const RegisterOpCase case_clamp_above{unary_case(
    "clamp/above", narrow, [](double) { return 1.0; }, 1.25F, 3)};

}  // namespace eddy
