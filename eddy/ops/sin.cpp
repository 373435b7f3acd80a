// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/sin.h"

#include <cmath>

#include "eddy/core/math.h"
#include "eddy/ops/cos.h"
#include "eddy/ops/elementwise.h"
#include "eddy/ops/mul.h"
#include "eddy/ops/op_case.h"

namespace eddy {
namespace {

struct Sin final : UnaryOp<Sin> {
  static constexpr std::string_view kName = "sin";
  static void span(const float* x, float* y, std::int64_t n) { vector_sin(x, y, n); }
  static Value derivative(const GradientContext& c) { return c.d_out(0) * cos(c.in(0)); }
};

}  // namespace

Value sin(Operand x) { return unary_node(Sin{}, x); }

const RegisterOpCase case_sin{unary_case(
    "sin", sin, [](double x) { return std::sin(x); }, -7, 7)};

}  // namespace eddy
