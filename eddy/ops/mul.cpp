// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/mul.h"

#include "eddy/core/math.h"
#include "eddy/ops/binary.h"
#include "eddy/ops/op_case.h"

namespace eddy {
namespace {

struct Mul final : BinaryOp<Mul> {
  static constexpr std::string_view kName = "mul";
  static constexpr bool kIntegers = true;
  template <class T>
  static T apply(T a, T b) {
    return static_cast<T>(static_cast<Wrapping<T>>(a) * static_cast<Wrapping<T>>(b));
  }
  static void adjust(BinarySpans<float, float>& spans) {
    spans.both = vector_mul;
    spans.right_number = [](const float* a, float b, float* out, std::int64_t n) { vector_scale(b, a, out, n); };
    spans.left_number = [](float a, const float* b, float* out, std::int64_t n) { vector_scale(a, b, out, n); };
  }
  static std::pair<Value, Value> derivatives(const GradientContext& c) {
    return {c.needs(0) ? c.d_out(0) * c.in(1) : Value(), c.needs(1) ? c.d_out(0) * c.in(0) : Value()};
  }
  std::vector<Value> simplify(std::span<const Value> inputs) const override {
    if (is_neutral(inputs[1], 1, inputs[0])) return {inputs[0]};
    if (is_neutral(inputs[0], 1, inputs[1])) return {inputs[1]};
    return {};
  }
};

}  // namespace

Value mul(Operand a, Operand b) { return binary_node(Mul{}, a, b); }

const RegisterBinaryCases cases_mul("mul", mul, [](double a, double b) { return a * b; });
const RegisterOpCase case_mul_one{unary_case(
    "mul/one", [](Operand x) { return 1 * (x.value * 1); }, [](double x) { return x; })};
const RegisterOpCase case_mul_integers{{
    .name = "mul/i32",
    .inputs = {{{i32, {2, 3}}, -9, 9}, {{i32, {}}, -9, 9}},
    .build = [](Graph&, std::span<const Value> x) -> std::vector<Value> { return {x[0] * x[1]}; },
    .reference =
        [](std::span<const std::vector<double>> x) {
          FlatArrays products{x[0]};
          for (double& product : products[0]) product *= x[1][0];
          return products;
        },
}};

}  // namespace eddy
