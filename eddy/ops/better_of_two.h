// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal: part of ops.

#include <string>
#include <utility>

#include "eddy/ops/binary.h"
#include "eddy/ops/compare.h"
#include "eddy/ops/mul.h"
#include "eddy/ops/op_case.h"
#include "eddy/ops/orders.h"
#include "eddy/ops/where.h"

namespace eddy {

/// What maximum and minimum have in common; for `Order` see orders.h.
template <class Derived, class Order>
struct BetterOfTwo : BinaryOp<Derived> {
  static constexpr bool kIntegers = true;
  template <class T>
  static T apply(T a, T b) {
    return (Order::beats(a, b) | (a != a)) ? a : b;
  }
  static void adjust(BinarySpans<float, float>& spans) { spans.both = Order::best_values; }
  static std::pair<Value, Value> derivatives(const GradientContext& c) {
    return {share(c, c.in(0), c.in(1)), share(c, c.in(1), c.in(0))};
  }

 private:
  /// All of the gradient for the better one, half for one of two equal ones. NaN is neither: both get all, as what made
  /// the result NaN must not look like a parameter that does not matter.
  static Value share(const GradientContext& c, Value own, Value other) {
    const Value d = c.d_out(0);
    return where(Order::better(other, own), 0, where(equal(c.in(0), c.in(1)), d * 0.5F, d));
  }
};

struct RegisterBetterOfTwoCases {
  RegisterBetterOfTwoCases(const std::string& name, Value (*build)(Operand, Operand), double (*best)(double, double)) {
    // Values of the two sides never come close, so that finite differences do not cross the corner.
    const RegisterOpCase apart{{
        .name = name,
        .inputs = {{.type = {f32, {2, 4}}, .values = {0.25, -1, 2, 0.5, -0.75, 1.5, -2, 1}},
                   {.type = {f32, {4}}, .values = {-0.5, 0.125, 1, 0}}},
        .build = [build](Graph&, std::span<const Value> x) -> std::vector<Value> { return {build(x[0], x[1])}; },
        .reference =
            [best](std::span<const std::vector<double>> x) {
              FlatArrays result{x[0]};
              for (std::size_t i = 0; i < 8; ++i) result[0][i] = best(x[0][i], x[1][i % 4]);
              return result;
            },
        .bench_inputs = {{{f32, {3200, 512}}}, {{f32, {3200, 512}}}},
    }};
    const RegisterOpCase integers{{
        .name = name + "/i32",
        .inputs = {{{i32, {3, 5}}, -9, 9}},
        .build = [build](Graph&, std::span<const Value> x) -> std::vector<Value> { return {build(2, x[0])}; },
        .reference =
            [best](std::span<const std::vector<double>> x) {
              FlatArrays result{x[0]};
              for (double& value : result[0]) value = best(value, 2.0);
              return result;
            },
    }};
  }
};

}  // namespace eddy
