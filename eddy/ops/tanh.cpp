// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/tanh.h"

#include <cmath>

#include "eddy/core/math.h"
#include "eddy/ops/elementwise.h"
#include "eddy/ops/mul.h"
#include "eddy/ops/op_case.h"

namespace eddy {
namespace {

struct TanhGradient final : DerivativeOp<TanhGradient> {
  static constexpr std::string_view kName = "tanh_gradient";
  static void span(const float* dy, const float* y, float* dx, std::int64_t n) { vector_tanh_gradient(dy, y, dx, n); }
  static Value slope(Value y) { return y * -2; }
};

struct Tanh final : UnaryOp<Tanh> {
  static constexpr std::string_view kName = "tanh";
  static void span(const float* x, float* y, std::int64_t n) { vector_tanh(x, y, n); }
  static Value derivative(const GradientContext& c) { return derivative_node<TanhGradient>(c.d_out(0), c.out(0)); }
};

}  // namespace

Value tanh(Operand x) { return unary_node(Tanh{}, x); }

const RegisterOpCase case_tanh{unary_case("tanh", tanh, [](double x) { return std::tanh(x); })};

}  // namespace eddy
