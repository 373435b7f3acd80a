// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/sqrt.h"

#include <cmath>

#include "eddy/core/math.h"
#include "eddy/ops/div.h"
#include "eddy/ops/elementwise.h"
#include "eddy/ops/mul.h"
#include "eddy/ops/op_case.h"

namespace eddy {
namespace {

struct Sqrt final : UnaryOp<Sqrt> {
  static constexpr std::string_view kName = "sqrt";
  static void span(const float* x, float* y, std::int64_t n) { vector_sqrt(x, y, n); }
  static Value derivative(const GradientContext& c) { return c.d_out(0) * 0.5F / c.out(0); }
};

}  // namespace

Value sqrt(Operand x) { return unary_node(Sqrt{}, x); }

const RegisterOpCase case_sqrt{unary_case(
    "sqrt", sqrt, [](double x) { return std::sqrt(x); }, 0.25F, 4)};

}  // namespace eddy
