// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <initializer_list>
#include <string_view>
#include <utility>
#include <vector>

#include "eddy/graph/op.h"

namespace eddy {

/// Axes of a reduction: one, several, or by default all; negative ones count from the end.
struct Axes {
  std::vector<int> list;

  Axes() = default;
  Axes(int axis) : list{axis} {}                          // NOLINT: sum(x, 1)
  Axes(std::initializer_list<int> axes) : list(axes) {}   // NOLINT: sum(x, {0, 2})
  Axes(std::vector<int> axes) : list(std::move(axes)) {}  // NOLINT
};

/// The attributes of every reduction. A plain value.
struct ReducedAxes {
  std::vector<int> axes;  ///< ascending, not negative
  std::vector<int> kept;  ///< those of `axes` that stay as axes of size 1

  /// Axes out of range or repeated are left as they are, for infer() to report with op and line.
  ReducedAxes(const Axes& axes, bool keep_dims, int rank);
  ReducedAxes(std::vector<int> a, std::vector<int> k) : axes(std::move(a)), kept(std::move(k)) {}

  /// The shape of the result. Throws GraphError when an axis is out of range or given twice.
  Shape result(const Shape& x) const;
  /// Number of elements that make one of the result.
  std::int64_t count(const Shape& x) const;
  /// The axes the result lacks.
  std::vector<int> dropped() const;
};

/// Base of reductions over `axes`. `Derived` has `Kernel kernel(const Shape& x, DType dtype) const`.
template <class Derived>
struct ReduceOp : OpClass<Derived>, ReducedAxes {
  explicit ReduceOp(ReducedAxes over) : ReducedAxes(std::move(over)) {}
  static void attributes(auto& op, auto&& visit) {
    visit("axes", op.axes);
    visit("kept", op.kept);
  }
  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override {
    require<GraphError>(inputs[0].dtype == f32 || (Derived::kIntegers && inputs[0].dtype == i32),
                        "takes f32{}, x is {}", Derived::kIntegers ? " or i32" : "", inputs[0]);
    return {{inputs[0].dtype, result(inputs[0].shape)}};
  }
  Cost cost(std::span<const TensorType> inputs, std::span<const TensorType> outputs) const override {
    return {.flops = static_cast<double>(inputs[0].shape.elements()),
            .bytes = static_cast<double>(inputs[0].bytes() + outputs[0].bytes())};
  }
  Kernel make_kernel(const KernelContext& context) const override {
    return static_cast<const Derived&>(*this).kernel(context.inputs[0].shape, context.inputs[0].dtype);
  }
};

}  // namespace eddy
