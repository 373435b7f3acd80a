// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/rsqrt.h"

#include <cmath>

#include "eddy/core/math.h"
#include "eddy/ops/div.h"
#include "eddy/ops/elementwise.h"
#include "eddy/ops/mul.h"
#include "eddy/ops/op_case.h"

namespace eddy {
namespace {

struct Rsqrt final : UnaryOp<Rsqrt> {
  static constexpr std::string_view kName = "rsqrt";
  static void span(const float* x, float* y, std::int64_t n) {
    vector_sqrt(x, y, n);
    EDDY_INDEPENDENT_ITERATIONS
    for (std::int64_t i = 0; i < n; ++i) y[i] = 1 / y[i];
  }
  static Value derivative(const GradientContext& c) { return c.d_out(0) * -0.5F * c.out(0) / c.in(0); }
};

}  // namespace

Value rsqrt(Operand x) { return unary_node(Rsqrt{}, x); }

const RegisterOpCase case_rsqrt{unary_case(
    "rsqrt", rsqrt, [](double x) { return 1 / std::sqrt(x); }, 0.25F, 4)};

}  // namespace eddy
