// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/square.h"

#include "eddy/core/math.h"
#include "eddy/graph/builtin.h"
#include "eddy/ops/elementwise.h"
#include "eddy/ops/op_case.h"

namespace eddy {
namespace {

struct SquareGradient final : DerivativeOp<SquareGradient> {
  static constexpr std::string_view kName = "square_gradient";
  static void span(const float* dy, const float* x, float* dx, std::int64_t n) {
    EDDY_INDEPENDENT_ITERATIONS
    for (std::int64_t i = 0; i < n; ++i) dx[i] = 2 * dy[i] * x[i];
  }
  static Value slope(Value x) { return full(x.graph(), x.type(), 2); }
};

struct Square final : UnaryOp<Square> {
  static constexpr std::string_view kName = "square";
  static void span(const float* x, float* y, std::int64_t n) { vector_mul(x, x, y, n); }
  static Value derivative(const GradientContext& c) { return derivative_node<SquareGradient>(c.d_out(0), c.in(0)); }
};

}  // namespace

Value square(Operand x) { return unary_node(Square{}, x); }

const RegisterOpCase case_square{unary_case("square", square, [](double x) { return x * x; })};

}  // namespace eddy
