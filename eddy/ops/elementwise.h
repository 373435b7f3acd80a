// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal: part of ops.

#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "eddy/core/threads.h"
#include "eddy/graph/graph.h"
#include "eddy/graph/op.h"

// Iterations of the next loop do not depend on each other, though output and input may be the same array.
#if defined(__clang__)
#define EDDY_INDEPENDENT_ITERATIONS
#else
#define EDDY_INDEPENDENT_ITERATIONS _Pragma("GCC ivdep")
#endif

namespace eddy {

/// What an exponential counts for in the cost of an op that is mostly made of them.
inline constexpr double kExpFlops = 10;

/// Throws GraphError unless every input has `dtype`.
void require_dtype(std::span<const TensorType> inputs, DType dtype);

/// Throws GraphError, with `op` and the line, unless `number` can be an element of `type`: i32 takes whole numbers in
/// its range, boolean 0 and 1.
void require_number(std::string_view op, double number, const TensorType& type, SourceLocation where);

/// The value behind a builder's argument. Throws GraphError naming `op` and the line when it is empty or a bare number.
Value value_of(std::string_view op, const Operand& operand);

/// The values behind two arguments of which at least one is a value: a number becomes a constant of the other's dtype.
std::pair<Value, Value> values_of(std::string_view op, const Operand& a, const Operand& b);

/// The product of three values, for `DerivativeOp`.
Value product(Value a, Value b, Value c);

/// Outputs may overwrite any input of the same size: for ops that read element i of each before writing element i.
std::vector<Alias> share_equal_sizes(std::span<const TensorType> inputs, std::span<const TensorType> outputs);

/// An elementwise op applied at all steps of a loop at once: stepped inputs get axes of size 1 after time until the op
/// broadcasts them as it does at one step.
std::vector<Value> elementwise_over_time(const Op& op, const TimeContext& context);
/// The same for an op whose inputs must be of one type: those that are the same at every step are repeated.
std::vector<Value> same_types_over_time(const Op& op, const TimeContext& context);

/// Base of ops y = f(x) on each f32 element by itself. `Derived` has
/// - `void span(const float* x, float* y, std::int64_t n) const` (may be static): f on n elements; y may be x;
/// - `Value derivative(const GradientContext& c) const`: dx from c.d_out(0), c.in(0) and c.out(0).
template <class Derived>
struct UnaryOp : OpClass<Derived> {
  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override {
    require_dtype(inputs, f32);
    return {inputs[0]};
  }
  std::vector<Gradient> gradient(const GradientContext& context) const override { return {self().derivative(context)}; }
  std::vector<Alias> aliases(std::span<const TensorType> inputs, std::span<const TensorType> outputs) const override {
    return share_equal_sizes(inputs, outputs);
  }
  std::vector<Value> over_time(const TimeContext& context) const override {
    return elementwise_over_time(*this, context);
  }
  TileFunction tile(std::span<const TensorType>) const override {
    return [op = self()](const void* const* in, void* out, std::int64_t n) {
      op.span(static_cast<const float*>(in[0]), static_cast<float*>(out), n);
    };
  }
  Kernel make_kernel(const KernelContext& context) const override {
    const std::int64_t elements = context.outputs[0].shape.elements();
    return {.run = [op = self(), elements](const KernelArgs& args) {
      const float* x = args.in<float>(0);
      float* y = args.out<float>(0);
      parallel_for(elements, kElementwiseGrain,
                   [&](std::int64_t begin, std::int64_t end) { op.span(x + begin, y + begin, end - begin); });
    }};
  }

 private:
  const Derived& self() const { return static_cast<const Derived&>(*this); }
};

/// Base of ops dx = dy * f'(v): the gradient of a unary op in one pass, where v is its input or its output. `Derived`
/// has
/// - `void span(const float* dy, const float* v, float* dx, std::int64_t n) const`; dx may be dy or v;
/// - `Value slope(Value v) const`: the derivative of f' for the second order; an empty value where it is zero.
template <class Derived>
struct DerivativeOp : OpClass<Derived> {
  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override {
    require_dtype(inputs, f32);
    require<GraphError>(inputs[0] == inputs[1], "types differ: {} and {}", inputs[0], inputs[1]);
    return {inputs[0]};
  }
  std::vector<Gradient> gradient(const GradientContext& context) const override {
    std::vector<Gradient> result(2);
    const Value d = context.d_out(0);
    if (context.needs(0))
      result[0] = add_node(d.graph(), Derived(self()), {d, context.in(1)}, SourceLocation::current());
    if (!context.needs(1)) return result;
    if (const Value slope = self().slope(context.in(1))) result[1] = product(d, context.in(0), slope);
    return result;
  }
  std::vector<Alias> aliases(std::span<const TensorType> inputs, std::span<const TensorType> outputs) const override {
    return share_equal_sizes(inputs, outputs);
  }
  std::vector<Value> over_time(const TimeContext& context) const override {
    return same_types_over_time(*this, context);
  }
  TileFunction tile(std::span<const TensorType>) const override {
    return [op = self()](const void* const* in, void* out, std::int64_t n) {
      op.span(static_cast<const float*>(in[0]), static_cast<const float*>(in[1]), static_cast<float*>(out), n);
    };
  }
  Kernel make_kernel(const KernelContext& context) const override {
    const std::int64_t elements = context.outputs[0].shape.elements();
    return {.run = [op = self(), elements](const KernelArgs& args) {
      const float* dy = args.in<float>(0);
      const float* v = args.in<float>(1);
      float* dx = args.out<float>(0);
      parallel_for(elements, kElementwiseGrain, [&](std::int64_t begin, std::int64_t end) {
        op.span(dy + begin, v + begin, dx + begin, end - begin);
      });
    }};
  }

 private:
  const Derived& self() const { return static_cast<const Derived&>(*this); }
};

/// Adds the node of a unary op: the body of its builder function.
template <class O>
Value unary_node(O op, const Operand& x) {
  const Value value = value_of(O::kName, x);
  return add_node(value.graph(), std::move(op), {value}, x.where);
}

/// Adds the node of a `DerivativeOp`: the body of most `derivative` rules.
template <class O>
Value derivative_node(Value dy, Value v, O op = {}) {
  return add_node(dy.graph(), std::move(op), {dy, v}, SourceLocation::current());
}

}  // namespace eddy
