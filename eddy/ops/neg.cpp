// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/neg.h"

#include "eddy/core/math.h"
#include "eddy/ops/number_unary.h"

namespace eddy {
namespace {

struct Neg final : NumberUnaryOp<Neg> {
  static constexpr std::string_view kName = "neg";
  static void span(const float* x, float* y, std::int64_t n) { vector_scale(-1, x, y, n); }
  static void span(const std::int32_t* x, std::int32_t* y, std::int64_t n) {
    EDDY_INDEPENDENT_ITERATIONS
    for (std::int64_t i = 0; i < n; ++i) y[i] = static_cast<std::int32_t>(0U - static_cast<std::uint32_t>(x[i]));
  }
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
const RegisterOpCase case_neg_integers{integer_case("neg/i32", neg, [](double x) { return -x; })};

}  // namespace eddy
