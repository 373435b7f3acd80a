// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/reciprocal.h"

#include "eddy/ops/elementwise.h"
#include "eddy/ops/mul.h"
#include "eddy/ops/neg.h"
#include "eddy/ops/op_case.h"
#include "eddy/ops/square.h"

namespace eddy {
namespace {

struct Reciprocal final : UnaryOp<Reciprocal> {
  static constexpr std::string_view kName = "reciprocal";
  static void span(const float* x, float* y, std::int64_t n) {
    EDDY_INDEPENDENT_ITERATIONS
    for (std::int64_t i = 0; i < n; ++i) y[i] = 1 / x[i];
  }
  static Value derivative(const GradientContext& c) { return -(c.d_out(0) * square(c.out(0))); }
};

}  // namespace

Value reciprocal(Operand x) { return unary_node(Reciprocal{}, x); }

const RegisterOpCase case_reciprocal{unary_case(
    "reciprocal", reciprocal, [](double x) { return 1 / x; }, 0.5F, 4)};

}  // namespace eddy
