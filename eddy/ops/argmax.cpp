// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/argmax.h"

#include "eddy/ops/arg_extreme.h"

namespace eddy {
namespace {

struct Argmax final : ArgExtremeOp<Argmax, Larger> {
  static constexpr std::string_view kName = "argmax";
  using ArgExtremeOp::ArgExtremeOp;
};

}  // namespace

Value argmax(Operand x, int axis, bool keep_dims) { return unary_node(Argmax(axis, keep_dims), x); }

const RegisterArgExtremeCases<Larger> cases_argmax("argmax", argmax);

}  // namespace eddy
