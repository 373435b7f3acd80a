// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/div.h"

#include "eddy/core/math.h"
#include "eddy/ops/binary.h"
#include "eddy/ops/mul.h"
#include "eddy/ops/neg.h"
#include "eddy/ops/op_case.h"

namespace eddy {
namespace {

struct Div final : BinaryOp<Div> {
  static constexpr std::string_view kName = "div";
  static constexpr bool kIntegers = false;
  static float apply(float a, float b) { return a / b; }
  static void adjust(BinarySpans<float, float>& spans) { spans.both = vector_div; }
  static std::pair<Value, Value> derivatives(const GradientContext& c) {
    const Value scaled = c.d_out(0) / c.in(1);
    return {scaled, c.needs(1) ? -(scaled * c.out(0)) : Value()};
  }
  std::vector<Value> simplify(std::span<const Value> inputs) const override {
    if (is_neutral(inputs[1], 1, inputs[0])) return {inputs[0]};
    return {};
  }
};

}  // namespace

Value div(Operand a, Operand b) { return binary_node(Div{}, a, b); }

const RegisterBinaryCases cases_div(
    "div", div, [](double a, double b) { return a / b; }, 0.5F, 3);
const RegisterOpCase case_div_one{unary_case(
    "div/one", [](Operand x) { return x.value / 1; }, [](double x) { return x; })};

}  // namespace eddy
