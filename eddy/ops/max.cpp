// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/max.h"

#include <algorithm>

#include "eddy/ops/elementwise.h"
#include "eddy/ops/extreme_op.h"
#include "eddy/ops/orders.h"
#include "eddy/ops/reduce_cases.h"

namespace eddy {
namespace {

struct Max final : ExtremeOp<Max, Larger> {
  static constexpr std::string_view kName = "max";
  using ExtremeOp::ExtremeOp;
};

}  // namespace

Value max(Operand x, Axes axes, bool keep_dims) {
  return unary_node(Max(ReducedAxes(axes, keep_dims, value_of(Max::kName, x).rank())), x);
}

namespace {

double best_of(std::span<const double> values) { return *std::ranges::max_element(values); }

const RegisterReduceCases cases("max", max, best_of);
const RegisterOpCase case_integers{reduce_case("max/i32", {i32, {3, 4, 5}}, {0, 2}, false, max, best_of)};
const RegisterOpCase case_integer_rows{reduce_case("max/i32_rows", {i32, {3, 4, 5}}, {1}, true, max, best_of)};

}  // namespace
}  // namespace eddy
