// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/gelu.h"

#include <algorithm>
#include <cmath>

#include "eddy/core/math.h"
#include "eddy/ops/add.h"
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

struct GeluGradient final : DerivativeOp<GeluGradient> {
  static constexpr std::string_view kName = "gelu_gradient";
  static void span(const float* dy, const float* x, float* dx, std::int64_t n) { vector_gelu_gradient(dy, x, dx, n); }
  static Value slope(Value x) {
    const Value density = exp(square(x) * -0.5F) * (kRootTwoOverPi / 2);
    return density * (2 - square(x));
  }
};

struct Gelu final : UnaryOp<Gelu> {
  static constexpr std::string_view kName = "gelu";
  static void span(const float* x, float* y, std::int64_t n) { vector_gelu(x, y, n); }
  static Value derivative(const GradientContext& c) { return derivative_node<GeluGradient>(c.d_out(0), c.in(0)); }
};

/// Calls body(offset, t, count) on blocks of t = tanh(sqrt(2/pi) (x + 0.044715 x^3)).
template <class Body>
void for_tanh_blocks(const float* x, std::int64_t n, Body&& body) {
  constexpr std::int64_t kBlock = 256;
  float t[kBlock];
  for (std::int64_t from = 0; from < n; from += kBlock) {
    const std::int64_t count = std::min(kBlock, n - from);
    for (std::int64_t i = 0; i < count; ++i) {
      const float v = x[from + i];
      t[i] = kRootTwoOverPi * (v + kCubic * v * v * v);
    }
    vector_tanh(t, t, count);
    body(from, t, count);
  }
}

struct GeluTanhGradient final : DerivativeOp<GeluTanhGradient> {
  static constexpr std::string_view kName = "gelu_tanh_gradient";
  static void span(const float* dy, const float* x, float* dx, std::int64_t n) {
    for_tanh_blocks(x, n, [&](std::int64_t from, const float* t, std::int64_t count) {
      EDDY_INDEPENDENT_ITERATIONS
      for (std::int64_t i = 0; i < count; ++i) {
        const float v = x[from + i];
        const float inner = kRootTwoOverPi * (1 + 3 * kCubic * v * v);
        dx[from + i] = dy[from + i] * 0.5F * (1 + t[i] + v * (1 - t[i] * t[i]) * inner);
      }
    });
  }
  static Value slope(Value x) {
    const Value squared = square(x);
    const Value t = tanh(x * (squared * kCubic + 1) * kRootTwoOverPi);
    const Value inner = squared * (3 * kCubic * kRootTwoOverPi) + kRootTwoOverPi;
    const Value curve = x * (6 * kCubic * kRootTwoOverPi);
    return (1 - square(t)) * (inner + x * (curve * 0.5F - t * square(inner)));
  }
};

struct GeluTanh final : UnaryOp<GeluTanh> {
  static constexpr std::string_view kName = "gelu_tanh";
  static void span(const float* x, float* y, std::int64_t n) {
    for_tanh_blocks(x, n, [&](std::int64_t from, const float* t, std::int64_t count) {
      EDDY_INDEPENDENT_ITERATIONS
      for (std::int64_t i = 0; i < count; ++i) y[from + i] = 0.5F * x[from + i] * (1 + t[i]);
    });
  }
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
