// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/rounding.h"

#include <cmath>

#include "eddy/core/math.h"
#include "eddy/ops/elementwise.h"
#include "eddy/ops/op_case.h"

namespace eddy {
namespace {

template <class Derived>
struct RoundingOp : UnaryOp<Derived> {
  static Value derivative(const GradientContext&) { return {}; }
  std::vector<std::vector<bool>> gradient_paths() const override { return {{false}}; }
};

struct Floor final : RoundingOp<Floor> {
  static constexpr std::string_view kName = "floor";
  static void span(const float* x, float* y, std::int64_t n) { vector_floor(x, y, n); }
};

struct Ceil final : RoundingOp<Ceil> {
  static constexpr std::string_view kName = "ceil";
  static void span(const float* x, float* y, std::int64_t n) { vector_ceil(x, y, n); }
};

struct Round final : RoundingOp<Round> {
  static constexpr std::string_view kName = "round";
  static void span(const float* x, float* y, std::int64_t n) { vector_round(x, y, n); }
};

OpCase rounding_case(const std::string& name, Value (*build)(Operand), double (*reference)(double)) {
  OpCase op_case = unary_case(name, build, reference, -5, 5);
  op_case.inputs[0].differentiable = op_case.bench_inputs[0].differentiable = false;
  return op_case;
}

}  // namespace

Value floor(Operand x) { return unary_node(Floor{}, x); }
Value ceil(Operand x) { return unary_node(Ceil{}, x); }
Value round(Operand x) { return unary_node(Round{}, x); }

const RegisterOpCase case_floor{rounding_case("floor", floor, [](double x) { return std::floor(x); })};
const RegisterOpCase case_ceil{rounding_case("ceil", ceil, [](double x) { return std::ceil(x); })};
const RegisterOpCase case_round{rounding_case("round", round, [](double x) { return std::nearbyint(x); })};

}  // namespace eddy
