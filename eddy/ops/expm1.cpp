// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/expm1.h"

#include <cmath>

#include "eddy/core/math.h"
#include "eddy/ops/elementwise.h"
#include "eddy/ops/exp.h"
#include "eddy/ops/mul.h"
#include "eddy/ops/op_case.h"

namespace eddy {
namespace {

struct Expm1 final : UnaryOp<Expm1> {
  static constexpr std::string_view kName = "expm1";
  static void span(const float* x, float* y, std::int64_t n) { vector_expm1(x, y, n); }
  // Not y + 1, which has no digits left far below 0.
  static Value derivative(const GradientContext& c) { return c.d_out(0) * exp(c.in(0)); }
};

}  // namespace

Value expm1(Operand x) { return unary_node(Expm1{}, x); }

const RegisterOpCase case_expm1{unary_case("expm1", expm1, [](double x) { return std::expm1(x); })};

}  // namespace eddy
