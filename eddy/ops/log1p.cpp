// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/log1p.h"

#include <cmath>

#include "eddy/core/math.h"
#include "eddy/ops/add.h"
#include "eddy/ops/div.h"
#include "eddy/ops/elementwise.h"
#include "eddy/ops/op_case.h"

namespace eddy {
namespace {

struct Log1p final : UnaryOp<Log1p> {
  static constexpr std::string_view kName = "log1p";
  static void span(const float* x, float* y, std::int64_t n) { vector_log1p(x, y, n); }
  static Value derivative(const GradientContext& c) { return c.d_out(0) / (c.in(0) + 1); }
};

}  // namespace

Value log1p(Operand x) { return unary_node(Log1p{}, x); }

const RegisterOpCase case_log1p{unary_case(
    "log1p", log1p, [](double x) { return std::log1p(x); }, -0.75F, 4)};

}  // namespace eddy
