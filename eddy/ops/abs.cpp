// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/abs.h"

#include <cmath>

#include "eddy/ops/number_unary.h"

namespace eddy {
namespace {

struct AbsGradient final : DerivativeOp<AbsGradient> {
  static constexpr std::string_view kName = "abs_gradient";
  static void span(const float* dy, const float* x, float* dx, std::int64_t n) {
    EDDY_INDEPENDENT_ITERATIONS
    for (std::int64_t i = 0; i < n; ++i) dx[i] = dy[i] * (static_cast<float>(x[i] > 0) - static_cast<float>(x[i] < 0));
  }
  static Value slope(Value) { return {}; }
};

struct Abs final : NumberUnaryOp<Abs> {
  static constexpr std::string_view kName = "abs";
  static void span(const float* x, float* y, std::int64_t n) {
    EDDY_INDEPENDENT_ITERATIONS
    for (std::int64_t i = 0; i < n; ++i) y[i] = std::abs(x[i]);
  }
  static void span(const std::int32_t* x, std::int32_t* y, std::int64_t n) {
    EDDY_INDEPENDENT_ITERATIONS
    for (std::int64_t i = 0; i < n; ++i) {
      const auto bits = static_cast<std::uint32_t>(x[i]);
      y[i] = static_cast<std::int32_t>(x[i] < 0 ? 0U - bits : bits);
    }
  }
  static Value derivative(const GradientContext& c) { return derivative_node<AbsGradient>(c.d_out(0), c.in(0)); }
};

}  // namespace

Value abs(Operand x) { return unary_node(Abs{}, x); }

const RegisterOpCase case_abs{unary_case(
    "abs", abs, [](double x) { return std::abs(x); }, 0.25F, 2)};
const RegisterOpCase case_abs_negative{unary_case(
    "abs/negative", abs, [](double x) { return std::abs(x); }, -2, -0.25F)};
const RegisterOpCase case_abs_integers{integer_case("abs/i32", abs, [](double x) { return std::abs(x); })};

}  // namespace eddy
