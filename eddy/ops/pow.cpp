// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/pow.h"

#include <cmath>

#include "eddy/core/power.h"
#include "eddy/graph/user_line.h"
#include "eddy/ops/binary.h"
#include "eddy/ops/compare.h"
#include "eddy/ops/div.h"
#include "eddy/ops/log.h"
#include "eddy/ops/mul.h"
#include "eddy/ops/op_case.h"
#include "eddy/ops/reciprocal.h"
#include "eddy/ops/square.h"
#include "eddy/ops/sub.h"
#include "eddy/ops/where.h"

namespace eddy {
namespace {

struct PowNumber final : UnaryOp<PowNumber> {
  static constexpr std::string_view kName = "pow_number";
  float exponent;
  explicit PowNumber(float e) : exponent(e) {}
  static void attributes(auto& op, auto&& visit) { visit("exponent", op.exponent); }
  void span(const float* x, float* y, std::int64_t n) const {
    if (std::abs(exponent) == 0.5F)
      vector_pow_half(x, exponent < 0, y, n);
    else
      vector_pow(x, 1, &exponent, 0, y, n);
  }
  Value derivative(const GradientContext& c) const {
    if (exponent == 0) return {};
    if (exponent == 0.5F) return c.d_out(0) * 0.5F / c.out(0);
    if (exponent == -0.5F) return c.d_out(0) * -0.5F * c.out(0) / c.in(0);
    return c.d_out(0) * pow(c.in(0), exponent - 1) * exponent;
  }
};

struct Pow final : BinaryOp<Pow> {
  static constexpr std::string_view kName = "pow";
  static constexpr bool kIntegers = false;
  static float apply(float a, float b) { return std::pow(a, b); }
  static void adjust(BinarySpans<float, float>& spans) {
    spans = {
        [](const float* a, const float* b, float* out, std::int64_t n) { vector_pow(a, 1, b, 1, out, n); },
        [](const float* a, float b, float* out, std::int64_t n) { vector_pow(a, 1, &b, 0, out, n); },
        [](float a, const float* b, float* out, std::int64_t n) { vector_pow(&a, 0, b, 1, out, n); },
    };
  }
  static std::pair<Value, Value> derivatives(const GradientContext& c) {
    std::pair<Value, Value> result;
    // 0 to the power of 0 - 1 would spoil the product with 0.
    if (c.needs(0)) result.first = c.d_out(0) * c.in(1) * pow(c.in(0), where(equal(c.in(1), 0), 1, c.in(1)) - 1);
    // Where the logarithm does not exist the gradient is 0, whatever the power is; of NaN it is NaN.
    if (c.needs(1)) {
      const Value none = less_equal(c.in(0), 0);
      result.second = c.d_out(0) * where(none, 0, c.out(0)) * log(where(none, 1, c.in(0)));
    }
    return result;
  }
};

}  // namespace

Value pow(Operand base, Operand exponent) {
  if (!exponent.scalar) return binary_node(Pow{}, base, exponent);
  const auto e = static_cast<float>(*exponent.scalar);
  const Value value = value_of("pow", base);
  require_at(value.dtype() == f32, base.where, "pow", "takes f32, not {}", to_string(value.type()));
  if (e == 1) return value;
  if (e == 2) return square(base);
  if (e == 3) return square(base) * base;
  if (e == -1) return reciprocal(base);
  return unary_node(PowNumber(e), base);
}

const RegisterBinaryCases cases_pow(
    "pow", pow, [](double a, double b) { return std::pow(a, b); }, 0.5F, 2.5F);

namespace {

OpCase number_case(const std::string& label, float exponent, float low) {
  OpCase op_case = unary_case(
      "pow_number/" + label, [exponent](Operand x) { return pow(x, exponent); },
      [exponent](double x) { return std::pow(x, exponent); }, low, 2);
  op_case.inputs[0].differentiable = exponent != 0;  // a constant: no gradient flows
  return op_case;
}

const RegisterOpCase case_pow_zero{number_case("0", 0, 0.5F)};
const RegisterOpCase case_pow_one{number_case("1", 1, -2)};
const RegisterOpCase case_pow_two{number_case("2", 2, -2)};
const RegisterOpCase case_pow_three{number_case("3", 3, -2)};
const RegisterOpCase case_pow_half{number_case("half", 0.5F, 0.5F)};
const RegisterOpCase case_pow_fraction{number_case("0.75", 0.75F, 0.5F)};
const RegisterOpCase case_pow_inverse{number_case("-1", -1, 0.5F)};
const RegisterOpCase case_pow_inverse_root{number_case("-half", -0.5F, 0.5F)};

}  // namespace
}  // namespace eddy
