// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/exp.h"

#include <cmath>

#include "eddy/core/math.h"
#include "eddy/ops/elementwise.h"
#include "eddy/ops/mul.h"
#include "eddy/ops/op_case.h"

namespace eddy {
namespace {

struct Exp final : UnaryOp<Exp> {
  static constexpr std::string_view kName = "exp";
  static void span(const float* x, float* y, std::int64_t n) { vector_exp(x, y, n); }
  static Value derivative(const GradientContext& c) { return c.d_out(0) * c.out(0); }
};

}  // namespace

Value exp(Operand x) { return unary_node(Exp{}, x); }

const RegisterOpCase case_exp{unary_case("exp", exp, [](double x) { return std::exp(x); })};

}  // namespace eddy
