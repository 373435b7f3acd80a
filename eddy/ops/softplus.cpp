// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/softplus.h"

#include <cmath>

#include "eddy/core/math.h"
#include "eddy/ops/elementwise.h"
#include "eddy/ops/mul.h"
#include "eddy/ops/op_case.h"
#include "eddy/ops/sigmoid.h"

namespace eddy {
namespace {

struct Softplus final : UnaryOp<Softplus> {
  static constexpr std::string_view kName = "softplus";
  static void span(const float* x, float* y, std::int64_t n) { vector_softplus(x, y, n); }
  static Value derivative(const GradientContext& c) { return c.d_out(0) * sigmoid(c.in(0)); }
};

}  // namespace

Value softplus(Operand x) { return unary_node(Softplus{}, x); }

const RegisterOpCase case_softplus{unary_case(
    "softplus", softplus, [](double x) { return std::log1p(std::exp(x)); }, -4, 4)};

}  // namespace eddy
