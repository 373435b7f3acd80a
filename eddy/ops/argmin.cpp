// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/argmin.h"

#include "eddy/ops/arg_extreme.h"

namespace eddy {
namespace {

struct Argmin final : ArgExtremeOp<Argmin, Smaller> {
  static constexpr std::string_view kName = "argmin";
  using ArgExtremeOp::ArgExtremeOp;
};

}  // namespace

Value argmin(Operand x, int axis, bool keep_dims) { return unary_node(Argmin(axis, keep_dims), x); }

const RegisterArgExtremeCases<Smaller> cases_argmin("argmin", argmin);

}  // namespace eddy
