// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/sub.h"

#include "eddy/core/math.h"
#include "eddy/ops/binary.h"
#include "eddy/ops/neg.h"
#include "eddy/ops/op_case.h"

namespace eddy {
namespace {

struct Sub final : BinaryOp<Sub> {
  static constexpr std::string_view kName = "sub";
  static constexpr bool kIntegers = true;
  template <class T>
  static T apply(T a, T b) {
    return static_cast<T>(static_cast<Wrapping<T>>(a) - static_cast<Wrapping<T>>(b));
  }
  static void adjust(BinarySpans<float, float>& spans) {
    spans.both = vector_sub;
    spans.right_number = [](const float* a, float b, float* out, std::int64_t n) { vector_add_scalar(-b, a, out, n); };
  }
  static std::pair<Value, Value> derivatives(const GradientContext& c) {
    return {c.d_out(0), c.needs(1) ? neg(c.d_out(0)) : Value()};
  }
  std::vector<Value> simplify(std::span<const Value> inputs) const override {
    if (is_neutral(inputs[1], 0, inputs[0])) return {inputs[0]};
    return {};
  }
};

}  // namespace

Value sub(Operand a, Operand b) { return binary_node(Sub{}, a, b); }

const RegisterBinaryCases cases_sub("sub", sub, [](double a, double b) { return a - b; });
const RegisterOpCase case_sub_zero{unary_case(
    "sub/zero", [](Operand x) { return x.value - 0; }, [](double x) { return x; })};
const RegisterOpCase case_sub_integers{{
    .name = "sub/i32",
    .inputs = {{{i32, {2, 3}}, -9, 9}, {{i32, {2, 1}}, -9, 9}},
    .build = [](Graph&, std::span<const Value> x) -> std::vector<Value> { return {x[0] - x[1]}; },
    .reference =
        [](std::span<const std::vector<double>> x) {
          FlatArrays differences{x[0]};
          for (std::size_t i = 0; i < 6; ++i) differences[0][i] -= x[1][i / 3];
          return differences;
        },
}};

}  // namespace eddy
