// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/hard_sigmoid.h"

#include "eddy/core/math.h"
#include "eddy/ops/elementwise.h"
#include "eddy/ops/op_case.h"

namespace eddy {
namespace {

struct HardSigmoidGradient final : DerivativeOp<HardSigmoidGradient> {
  static constexpr std::string_view kName = "hard_sigmoid_gradient";
  static void span(const float* dy, const float* y, float* dx, std::int64_t n) {
    EDDY_INDEPENDENT_ITERATIONS
    for (std::int64_t i = 0; i < n; ++i) dx[i] = ((y[i] > 0) & (y[i] < 1)) ? 0.2F * dy[i] : 0.0F;
  }
  static Value slope(Value) { return {}; }
};

struct HardSigmoid final : UnaryOp<HardSigmoid> {
  static constexpr std::string_view kName = "hard_sigmoid";
  static void span(const float* x, float* y, std::int64_t n) { vector_hard_sigmoid(x, y, n); }
  static Value derivative(const GradientContext& c) {
    return derivative_node<HardSigmoidGradient>(c.d_out(0), c.out(0));
  }
};

}  // namespace

Value hard_sigmoid(Operand x) { return unary_node(HardSigmoid{}, x); }

const RegisterOpCase case_hard_sigmoid{
    unary_case("hard_sigmoid", hard_sigmoid, [](double x) { return 0.2 * x + 0.5; })};
const RegisterOpCase case_hard_sigmoid_flat{unary_case(
    "hard_sigmoid/flat", hard_sigmoid, [](double) { return 1.0; }, 3, 9)};

}  // namespace eddy
