// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal: part of ops.

#include <vector>

#include "eddy/ops/axis_split.h"
#include "eddy/ops/elementwise.h"

namespace eddy {

// What softmax and log_softmax have in common: rows along one axis, from x to y, and from dy and y to dx. `Derived` has
// kName, kFlops per element, and static functions for one row and for a strip of columns (see AxisSplit::for_strips).

/// `row(x, y, n)`, `strip(x, y, split, width)`; `GradientOp` is a SoftmaxGradientOp.
template <class Derived, class GradientOp>
struct SoftmaxOp : OpClass<Derived> {
  int axis;
  explicit SoftmaxOp(int a) : axis(a) {}
  static void attributes(auto& op, auto&& visit) { visit("axis", op.axis); }

  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override {
    require_dtype(inputs, f32);
    require<GraphError>(inputs[0].shape.dim(axis) > 0, "axis {} of x of type {} is empty", axis, inputs[0]);
    return {inputs[0]};
  }
  std::vector<Gradient> gradient(const GradientContext& c) const override {
    return {add_node(c.d_out(0).graph(), GradientOp(axis), {c.d_out(0), c.out(0)}, SourceLocation::current())};
  }
  Cost cost(std::span<const TensorType> inputs, std::span<const TensorType>) const override {
    return {.flops = Derived::kFlops * static_cast<double>(inputs[0].shape.elements()),
            .bytes = 2 * static_cast<double>(inputs[0].bytes())};
  }
  std::vector<Alias> aliases(std::span<const TensorType> inputs, std::span<const TensorType> outputs) const override {
    return share_equal_sizes(inputs, outputs);
  }
  Kernel make_kernel(const KernelContext& context) const override {
    const AxisSplit split(context.inputs[0].shape, axis);
    return {.run = [split](const KernelArgs& args) {
      const float* x = args.in<float>(0);
      float* y = args.out<float>(0);
      if (split.inner == 1) {
        split.for_rows([&](std::int64_t at) { Derived::row(x + at, y + at, split.size); });
      } else {
        split.for_strips(
            [&](std::int64_t at, std::int64_t width, std::int64_t) { Derived::strip(x + at, y + at, split, width); });
      }
    }};
  }
};

/// `row(dy, y, dx, n)`, `strip(dy, y, dx, split, width)`, where dx may be dy or y.
template <class Derived>
struct SoftmaxGradientOp : OpClass<Derived> {
  int axis;
  explicit SoftmaxGradientOp(int a) : axis(a) {}
  static void attributes(auto& op, auto&& visit) { visit("axis", op.axis); }

  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override { return {inputs[0]}; }
  Cost cost(std::span<const TensorType> inputs, std::span<const TensorType>) const override {
    return {.flops = Derived::kFlops * static_cast<double>(inputs[0].shape.elements()),
            .bytes = 3 * static_cast<double>(inputs[0].bytes())};
  }
  std::vector<Alias> aliases(std::span<const TensorType> inputs, std::span<const TensorType> outputs) const override {
    return share_equal_sizes(inputs, outputs);
  }
  Kernel make_kernel(const KernelContext& context) const override {
    const AxisSplit split(context.inputs[0].shape, axis);
    return {.run = [split](const KernelArgs& args) {
      const float* dy = args.in<float>(0);
      const float* y = args.in<float>(1);
      float* dx = args.out<float>(0);
      if (split.inner == 1) {
        split.for_rows([&](std::int64_t at) { Derived::row(dy + at, y + at, dx + at, split.size); });
      } else {
        split.for_strips([&](std::int64_t at, std::int64_t width, std::int64_t) {
          Derived::strip(dy + at, y + at, dx + at, split, width);
        });
      }
    }};
  }
};

}  // namespace eddy
