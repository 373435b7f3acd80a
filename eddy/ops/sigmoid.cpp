// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/sigmoid.h"

#include <cmath>

#include "eddy/core/math.h"
#include "eddy/ops/elementwise.h"
#include "eddy/ops/mul.h"
#include "eddy/ops/op_case.h"
#include "eddy/ops/sub.h"

namespace eddy {
namespace {

struct SigmoidGradient final : DerivativeOp<SigmoidGradient> {
  static constexpr std::string_view kName = "sigmoid_gradient";
  static void span(const float* dy, const float* y, float* dx, std::int64_t n) {
    vector_sigmoid_gradient(dy, y, dx, n);
  }
  static Value slope(Value y) { return 1 - y * 2; }
};

struct Sigmoid final : UnaryOp<Sigmoid> {
  static constexpr std::string_view kName = "sigmoid";
  static void span(const float* x, float* y, std::int64_t n) { vector_sigmoid(x, y, n); }
  static Value derivative(const GradientContext& c) { return derivative_node<SigmoidGradient>(c.d_out(0), c.out(0)); }
};

}  // namespace

Value sigmoid(Operand x) { return unary_node(Sigmoid{}, x); }

const RegisterOpCase case_sigmoid{unary_case("sigmoid", sigmoid, [](double x) { return 1 / (1 + std::exp(-x)); })};

}  // namespace eddy
