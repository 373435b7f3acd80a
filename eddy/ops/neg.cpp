// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/neg.h"

#include "eddy/core/math.h"
#include "eddy/ops/elementwise.h"
#include "eddy/ops/op_case.h"

namespace eddy {
namespace {

struct Neg final : UnaryOp<Neg> {
  static constexpr std::string_view kName = "neg";
  static void span(const float* x, float* y, std::int64_t n) { vector_scale(-1, x, y, n); }
  static Value derivative(const GradientContext& c) { return neg(c.d_out(0)); }
  std::vector<Value> simplify(std::span<const Value> inputs) const override {
    const Node& producer = inputs[0].graph().node(inputs[0].node());
    if (producer.op->name() == kName) return {producer.inputs[0]};
    return {};
  }
};

}  // namespace

Value neg(Operand x) { return unary_node(Neg{}, x); }

const RegisterOpCase case_neg{unary_case("neg", neg, [](double x) { return -x; })};
const RegisterOpCase case_neg_twice{unary_case(
    "neg/twice", [](Operand x) { return neg(neg(x)); }, [](double x) { return x; })};

}  // namespace eddy
