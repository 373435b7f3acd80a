// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/cos.h"

#include <cmath>

#include "eddy/core/math.h"
#include "eddy/ops/elementwise.h"
#include "eddy/ops/mul.h"
#include "eddy/ops/neg.h"
#include "eddy/ops/op_case.h"
#include "eddy/ops/sin.h"

namespace eddy {
namespace {

struct Cos final : UnaryOp<Cos> {
  static constexpr std::string_view kName = "cos";
  static void span(const float* x, float* y, std::int64_t n) { vector_cos(x, y, n); }
  static Value derivative(const GradientContext& c) { return -(c.d_out(0) * sin(c.in(0))); }
};

}  // namespace

Value cos(Operand x) { return unary_node(Cos{}, x); }

const RegisterOpCase case_cos{unary_case(
    "cos", cos, [](double x) { return std::cos(x); }, -7, 7)};

}  // namespace eddy
