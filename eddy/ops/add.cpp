// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/add.h"

#include "eddy/core/math.h"
#include "eddy/ops/binary.h"
#include "eddy/ops/op_case.h"

namespace eddy {
namespace {

struct Add final : BinaryOp<Add> {
  static constexpr std::string_view kName = "add";
  static constexpr bool kIntegers = true;
  template <class T>
  static T apply(T a, T b) {
    return static_cast<T>(static_cast<Wrapping<T>>(a) + static_cast<Wrapping<T>>(b));
  }
  static void adjust(BinarySpans<float, float>& spans) {
    spans.both = vector_add;
    spans.right_number = [](const float* a, float b, float* out, std::int64_t n) { vector_add_scalar(b, a, out, n); };
    spans.left_number = [](float a, const float* b, float* out, std::int64_t n) { vector_add_scalar(a, b, out, n); };
  }
  static std::pair<Value, Value> derivatives(const GradientContext& c) { return {c.d_out(0), c.d_out(0)}; }
  std::vector<Value> simplify(std::span<const Value> inputs) const override {
    if (is_neutral(inputs[1], 0, inputs[0])) return {inputs[0]};
    if (is_neutral(inputs[0], 0, inputs[1])) return {inputs[1]};
    return {};
  }
};

}  // namespace

Value add(Operand a, Operand b) { return binary_node(Add{}, a, b); }

const RegisterBinaryCases cases_add("add", add, [](double a, double b) { return a + b; });
const RegisterOpCase case_add_integers{{
    .name = "add/i32",
    .inputs = {{{i32, {2, 3}}, -9, 9}, {{i32, {3}}, -9, 9}},
    .build = [](Graph&, std::span<const Value> x) -> std::vector<Value> { return {x[0] + x[1] + 3}; },
    .reference =
        [](std::span<const std::vector<double>> x) {
          FlatArrays sums{x[0]};
          for (std::size_t i = 0; i < 6; ++i) sums[0][i] += x[1][i % 3] + 3;
          return sums;
        },
}};
const RegisterOpCase case_add_zero{unary_case(
    "add/zero", [](Operand x) { return 0 + (x.value + 0); }, [](double x) { return x; })};

}  // namespace eddy
