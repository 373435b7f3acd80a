// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/gelu.h"

#include <cmath>

#include "eddy/core/math.h"
#include "eddy/ops/add.h"
#include "eddy/ops/clamp.h"
#include "eddy/ops/elementwise.h"
#include "eddy/ops/exp.h"
#include "eddy/ops/mul.h"
#include "eddy/ops/op_case.h"
#include "eddy/ops/square.h"
#include "eddy/ops/sub.h"
#include "eddy/ops/tanh.h"

namespace eddy {
namespace {

constexpr float kRootTwoOverPi = 0.797884560802865F;
constexpr float kCubic = 0.044715F;

/// Second derivatives are 0 beyond it, where a power of x may be infinite.
Value near(Value x) { return clamp(x, -16, 16); }

struct GeluGradient final : DerivativeOp<GeluGradient> {
  static constexpr std::string_view kName = "gelu_gradient";
  static void span(const float* dy, const float* x, float* dx, std::int64_t n) { vector_gelu_gradient(dy, x, dx, n); }
  static Value slope(Value far) {
    const Value x = near(far);
    const Value density = exp(square(x) * -0.5F) * (kRootTwoOverPi / 2);
    return density * (2 - square(x));
  }
};

struct Gelu final : UnaryOp<Gelu> {
  static constexpr std::string_view kName = "gelu";
  static void span(const float* x, float* y, std::int64_t n) { vector_gelu(x, y, n); }
  static Value derivative(const GradientContext& c) { return derivative_node<GeluGradient>(c.d_out(0), c.in(0)); }
};

struct GeluTanhGradient final : DerivativeOp<GeluTanhGradient> {
  static constexpr std::string_view kName = "gelu_tanh_gradient";
  static void span(const float* dy, const float* x, float* dx, std::int64_t n) {
    vector_gelu_tanh_gradient(dy, x, dx, n);
  }
  static Value slope(Value far) {
    const Value x = near(far);
    const Value squared = square(x);
    const Value t = tanh(x * (squared * kCubic + 1) * kRootTwoOverPi);
    const Value inner = squared * (3 * kCubic * kRootTwoOverPi) + kRootTwoOverPi;
    const Value curve = x * (6 * kCubic * kRootTwoOverPi);
    return (1 - square(t)) * (inner + x * (curve * 0.5F - t * square(inner)));
  }
};

struct GeluTanh final : UnaryOp<GeluTanh> {
  static constexpr std::string_view kName = "gelu_tanh";
  static void span(const float* x, float* y, std::int64_t n) { vector_gelu_tanh(x, y, n); }
  static Value derivative(const GradientContext& c) { return derivative_node<GeluTanhGradient>(c.d_out(0), c.in(0)); }
};

}  // namespace

Value gelu(Operand x, GeluForm form) {
  return form == GeluForm::erf ? unary_node(Gelu{}, x) : unary_node(GeluTanh{}, x);
}

const RegisterOpCase case_gelu{unary_case(
    "gelu", [](Operand x) { return gelu(x); }, [](double x) { return x / 2 * (1 + std::erf(x / std::sqrt(2.0))); }, -4,
    4)};
const RegisterOpCase case_gelu_tanh{unary_case(
    "gelu_tanh", [](Operand x) { return gelu(x, GeluForm::tanh); },
    [](double x) { return x / 2 * (1 + std::tanh(std::sqrt(2 / std::acos(-1.0)) * (x + 0.044715 * x * x * x))); }, -4,
    4)};

}  // namespace eddy
