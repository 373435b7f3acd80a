// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/min.h"

#include <algorithm>

#include "eddy/ops/elementwise.h"
#include "eddy/ops/extreme_op.h"
#include "eddy/ops/orders.h"
#include "eddy/ops/reduce_cases.h"

namespace eddy {
namespace {

struct Min final : ExtremeOp<Min, Smaller> {
  static constexpr std::string_view kName = "min";
  using ExtremeOp::ExtremeOp;
};

}  // namespace

Value min(Operand x, Axes axes, bool keep_dims) {
  return unary_node(Min(ReducedAxes(axes, keep_dims, value_of(Min::kName, x).rank())), x);
}

namespace {

double best_of(std::span<const double> values) { return *std::ranges::min_element(values); }

const RegisterReduceCases cases("min", min, best_of);
const RegisterOpCase case_integers{reduce_case("min/i32", {i32, {3, 4, 5}}, {0, 2}, false, min, best_of)};
const RegisterOpCase case_integer_rows{reduce_case("min/i32_rows", {i32, {3, 4, 5}}, {1}, true, min, best_of)};

}  // namespace
}  // namespace eddy
