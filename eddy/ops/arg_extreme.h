// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal: part of ops.

#include <algorithm>
#include <string>
#include <vector>

#include "eddy/ops/axis_split.h"
#include "eddy/ops/elementwise.h"
#include "eddy/ops/op_case.h"
#include "eddy/ops/orders.h"
#include "eddy/ops/reduce.h"

namespace eddy {

// What argmax and argmin have in common; for `Order` see orders.h.

template <class Order, class T>
Kernel arg_extreme_kernel(const AxisSplit& split) {
  return {.run = [split](const KernelArgs& args) {
    const T* x = args.in<T>(0);
    auto* out = args.out<std::int32_t>(0);
    if (split.inner == 1) {
      split.for_rows([&](std::int64_t at) {
        out[at / split.size] = static_cast<std::int32_t>(Order::first_best(x + at, split.size));
      });
      return;
    }
    split.for_strips([&](std::int64_t at, std::int64_t width, std::int64_t column) {
      T best[AxisSplit::kStrip];
      std::int32_t index[AxisSplit::kStrip] = {};
      std::copy_n(x + at, width, best);
      for (std::int64_t k = 1; k < split.size; ++k)
        Order::keep_better(x + at + k * split.inner, static_cast<std::int32_t>(k), best, index, width);
      std::copy_n(index, width, out + column);
    });
  }};
}

template <class Derived, class Order>
struct ArgExtremeOp : OpClass<Derived> {
  int axis;
  bool keep_dims;
  ArgExtremeOp(int a, bool keep) : axis(a), keep_dims(keep) {}
  static void attributes(auto& op, auto&& visit) {
    visit("axis", op.axis);
    visit("keep_dims", op.keep_dims);
  }

  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override {
    const Shape& x = inputs[0].shape;
    require<GraphError>(inputs[0].dtype != boolean, "takes f32 or i32, x is {}", inputs[0]);
    require<GraphError>(x.dim(axis) > 0, "there is no {} of nothing: x is {}", Derived::kName, inputs[0]);
    return {{i32, ReducedAxes(Axes(axis), keep_dims, x.rank()).result(x)}};
  }
  Cost cost(std::span<const TensorType> inputs, std::span<const TensorType>) const override {
    return {.flops = static_cast<double>(inputs[0].shape.elements()), .bytes = static_cast<double>(inputs[0].bytes())};
  }
  Kernel make_kernel(const KernelContext& context) const override {
    const AxisSplit split(context.inputs[0].shape, axis);
    return context.inputs[0].dtype == i32 ? arg_extreme_kernel<Order, std::int32_t>(split)
                                          : arg_extreme_kernel<Order, float>(split);
  }
};

template <class Order>
struct RegisterArgExtremeCases {
  using Builder = Value (*)(Operand x, int axis, bool keep_dims);

  RegisterArgExtremeCases(const std::string& name, Builder build) {
    const RegisterOpCase last{one(name + "/last", build, f32, -1, false)};
    const RegisterOpCase middle{one(name + "/middle", build, f32, 1, false)};
    const RegisterOpCase first{one(name + "/first", build, f32, 0, true)};
    const RegisterOpCase at_most_zero{one(name + "/at_most_zero", build, f32, -1, false, -4)};
    const RegisterOpCase negative{one(name + "/negative", build, f32, 1, false, -5)};
    const RegisterOpCase integers{one(name + "/i32", build, i32, 2, true)};
    const RegisterOpCase integers_middle{one(name + "/i32_middle", build, i32, 1, false)};
  }

 private:
  /// Values come from a small set, so that ties occur.
  static OpCase one(const std::string& name, Builder build, DType dtype, int axis, bool keep_dims, int offset = 0) {
    static constexpr std::size_t kSizes[3] = {2, 4, 3};
    std::vector<double> values;
    for (int i = 0; i < 24; ++i) values.push_back(i * 7 % 5 + offset);
    return {
        .name = name,
        .inputs = {{.type = {dtype, {2, 4, 3}}, .differentiable = false, .values = values}},
        .build = [=](Graph&, std::span<const Value> x) -> std::vector<Value> { return {build(x[0], axis, keep_dims)}; },
        .reference =
            [=](std::span<const std::vector<double>> x) {
              const auto at = static_cast<std::size_t>(axis < 0 ? axis + 3 : axis);
              std::size_t inner = 1;
              for (std::size_t i = at + 1; i < 3; ++i) inner *= kSizes[i];
              FlatArrays result(1);
              for (std::size_t outer = 0; outer < 24 / kSizes[at] / inner; ++outer)
                for (std::size_t i = 0; i < inner; ++i) {
                  std::size_t best = 0;
                  for (std::size_t k = 1; k < kSizes[at]; ++k)
                    if (Order::beats(x[0][(outer * kSizes[at] + k) * inner + i],
                                     x[0][(outer * kSizes[at] + best) * inner + i]))
                      best = k;
                  result[0].push_back(static_cast<double>(best));
                }
              return result;
            },
        .bench_inputs = {{.type = {dtype, {50, 64, 1000}}, .differentiable = false}},
    };
  }
};

}  // namespace eddy
