// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/minimum.h"

#include <algorithm>

#include "eddy/core/math.h"
#include "eddy/ops/add.h"
#include "eddy/ops/binary.h"
#include "eddy/ops/cast.h"
#include "eddy/ops/compare.h"
#include "eddy/ops/mul.h"
#include "eddy/ops/op_case.h"

namespace eddy {
namespace {

struct Minimum final : BinaryOp<Minimum> {
  static constexpr std::string_view kName = "minimum";
  static constexpr bool kIntegers = true;
  template <class T>
  static T apply(T a, T b) {
    return ((a < b) | (a != a)) ? a : b;
  }
  static void adjust(BinarySpans<float, float>& spans) { spans.both = vector_min; }
  static std::pair<Value, Value> derivatives(const GradientContext& c) {
    return {half_shares(c, less(c.in(0), c.in(1)), less_equal(c.in(0), c.in(1))),
            half_shares(c, less(c.in(1), c.in(0)), less_equal(c.in(1), c.in(0)))};
  }

 private:
  static Value half_shares(const GradientContext& c, Value wins, Value wins_or_ties) {
    return c.d_out(0) * ((cast(wins, f32) + cast(wins_or_ties, f32)) * 0.5F);
  }
};

}  // namespace

Value minimum(Operand a, Operand b) { return binary_node(Minimum{}, a, b); }

// Values of the two sides never come close, so that finite differences do not cross the corner.
const RegisterOpCase case_minimum_apart{{
    .name = "minimum",
    .inputs = {{.type = {f32, {2, 4}}, .values = {0.25, -1, 2, 0.5, -0.75, 1.5, -2, 1}},
               {.type = {f32, {4}}, .values = {-0.5, 0.125, 1, 0}}},
    .build = [](Graph&, std::span<const Value> x) -> std::vector<Value> { return {minimum(x[0], x[1])}; },
    .reference =
        [](std::span<const std::vector<double>> x) {
          FlatArrays result{x[0]};
          for (std::size_t i = 0; i < 8; ++i) result[0][i] = std::min(x[0][i], x[1][i % 4]);
          return result;
        },
    .bench_inputs = {{{f32, {3200, 512}}}, {{f32, {3200, 512}}}},
}};
const RegisterOpCase case_minimum_integers{{
    .name = "minimum/i32",
    .inputs = {{{i32, {3, 5}}, -9, 9}},
    .build = [](Graph&, std::span<const Value> x) -> std::vector<Value> { return {minimum(2, x[0])}; },
    .reference =
        [](std::span<const std::vector<double>> x) {
          FlatArrays result{x[0]};
          for (double& value : result[0]) value = std::min(value, 2.0);
          return result;
        },
}};

}  // namespace eddy
