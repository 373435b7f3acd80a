// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal: part of ops.

#include "eddy/ops/elementwise.h"
#include "eddy/ops/op_case.h"

namespace eddy {

/// A UnaryOp for i32 too, which has no gradient: `Derived` has a second
/// `void span(const std::int32_t* x, std::int32_t* y, std::int64_t n) const` (may be static); y may be x.
template <class Derived>
struct NumberUnaryOp : UnaryOp<Derived> {
  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override {
    require<GraphError>(inputs[0].dtype != boolean, "takes f32 or i32, an argument is {}", inputs[0]);
    return {inputs[0]};
  }
  TileFunction tile(std::span<const TensorType> inputs) const override {
    if (inputs[0].dtype != f32) return nullptr;
    return UnaryOp<Derived>::tile(inputs);
  }
  Kernel make_kernel(const KernelContext& context) const override {
    if (context.inputs[0].dtype == f32) return UnaryOp<Derived>::make_kernel(context);
    const std::int64_t elements = context.outputs[0].shape.elements();
    return {.run = [op = static_cast<const Derived&>(*this), elements](const KernelArgs& args) {
      const std::int32_t* x = args.in<std::int32_t>(0);
      std::int32_t* y = args.out<std::int32_t>(0);
      parallel_for(elements, kElementwiseGrain,
                   [&](std::int64_t begin, std::int64_t end) { op.span(x + begin, y + begin, end - begin); });
    }};
  }
};

/// A case of y = f(x) on integers.
inline OpCase integer_case(std::string name, std::function<Value(Operand)> build,
                           std::function<double(double)> reference) {
  OpCase op_case = unary_case(std::move(name), std::move(build), std::move(reference));
  op_case.inputs = {{{i32, {3, 37}}, -99, 99}};
  op_case.bench_inputs = {{{i32, {3200, 512}}, -99, 99}};
  return op_case;
}

}  // namespace eddy
