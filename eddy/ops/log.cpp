// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/log.h"

#include <cmath>

#include "eddy/core/math.h"
#include "eddy/ops/div.h"
#include "eddy/ops/elementwise.h"
#include "eddy/ops/op_case.h"

namespace eddy {
namespace {

struct Log final : UnaryOp<Log> {
  static constexpr std::string_view kName = "log";
  static void span(const float* x, float* y, std::int64_t n) { vector_log(x, y, n); }
  static Value derivative(const GradientContext& c) { return c.d_out(0) / c.in(0); }
};

}  // namespace

Value log(Operand x) { return unary_node(Log{}, x); }

const RegisterOpCase case_log{unary_case(
    "log", log, [](double x) { return std::log(x); }, 0.25F, 4)};

}  // namespace eddy
