// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/relu.h"

#include <algorithm>

#include "eddy/core/math.h"
#include "eddy/ops/elementwise.h"
#include "eddy/ops/op_case.h"

namespace eddy {
namespace {

struct ReluGradient final : DerivativeOp<ReluGradient> {
  static constexpr std::string_view kName = "relu_gradient";
  static void span(const float* dy, const float* y, float* dx, std::int64_t n) { vector_relu_gradient(dy, y, dx, n); }
  static Value slope(Value) { return {}; }
};

struct Relu final : UnaryOp<Relu> {
  static constexpr std::string_view kName = "relu";
  static void span(const float* x, float* y, std::int64_t n) { vector_relu(x, y, n); }
  static Value derivative(const GradientContext& c) { return derivative_node<ReluGradient>(c.d_out(0), c.out(0)); }
};

}  // namespace

Value relu(Operand x) { return unary_node(Relu{}, x); }

const RegisterOpCase case_relu{unary_case(
    "relu", relu, [](double x) { return std::max(x, 0.0); }, 0.25F, 2)};
const RegisterOpCase case_relu_negative{unary_case(
    "relu/negative", relu, [](double) { return 0.0; }, -2, -0.25F)};

}  // namespace eddy
