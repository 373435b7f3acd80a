// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal: part of ops.

#include <cstdint>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "eddy/ops/elementwise.h"
#include "eddy/ops/op_case.h"

namespace eddy {

/// The three inner loops of an op on two broadcast inputs: both advance, or one of them is a single number. The output
/// may be the same array as an input.
template <class In, class Out>
struct BinarySpans {
  void (*both)(const In* a, const In* b, Out* out, std::int64_t n);
  void (*right_number)(const In* a, In b, Out* out, std::int64_t n);
  void (*left_number)(In a, const In* b, Out* out, std::int64_t n);
};

/// Plain loops over `F::apply(a, b)`.
template <class F, class In, class Out>
constexpr BinarySpans<In, Out> plain_spans() {
  return {
      [](const In* a, const In* b, Out* out, std::int64_t n) {
        EDDY_INDEPENDENT_ITERATIONS
        for (std::int64_t i = 0; i < n; ++i) out[i] = F::apply(a[i], b[i]);
      },
      [](const In* a, In b, Out* out, std::int64_t n) {
        EDDY_INDEPENDENT_ITERATIONS
        for (std::int64_t i = 0; i < n; ++i) out[i] = F::apply(a[i], b);
      },
      [](In a, const In* b, Out* out, std::int64_t n) {
        EDDY_INDEPENDENT_ITERATIONS
        for (std::int64_t i = 0; i < n; ++i) out[i] = F::apply(a, b[i]);
      },
  };
}

/// The kernel of an op on two inputs broadcast to its output.
template <class In, class Out>
Kernel broadcast_kernel(const KernelContext& context, const BinarySpans<In, Out>& spans);

extern template Kernel broadcast_kernel(const KernelContext&, const BinarySpans<float, float>&);
extern template Kernel broadcast_kernel(const KernelContext&, const BinarySpans<std::int32_t, std::int32_t>&);
extern template Kernel broadcast_kernel(const KernelContext&, const BinarySpans<float, bool>&);
extern template Kernel broadcast_kernel(const KernelContext&, const BinarySpans<std::int32_t, bool>&);
extern template Kernel broadcast_kernel(const KernelContext&, const BinarySpans<bool, bool>&);

/// Throws GraphError unless both inputs have one dtype; the shape they broadcast to.
Shape broadcast_shape(std::span<const TensorType> inputs);

/// Whether `value` is the constant `number` and an op with `other` keeps the type of `other`.
bool is_neutral(const Value& value, float number, const Value& other);

/// Integer arithmetic wraps around instead of being undefined.
template <class T>
using Wrapping = std::conditional_t<std::is_same_v<T, std::int32_t>, std::uint32_t, T>;

/// Base of arithmetic on two inputs of one dtype with NumPy broadcasting. `Derived` has
/// - `static float apply(float, float)`, and the same for std::int32_t when `kIntegers` is true;
/// - `static std::pair<Value, Value> derivatives(const GradientContext& c)`: da and db, those that c.needs(), not yet
///   summed to the shapes of a and b;
/// - optionally `static void adjust(BinarySpans<float, float>& spans)`, which puts in faster loops.
template <class Derived>
struct BinaryOp : OpClass<Derived> {
  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override {
    const Shape shape = broadcast_shape(inputs);
    require<GraphError>(inputs[0].dtype == f32 || (Derived::kIntegers && inputs[0].dtype == i32),
                        "takes f32{}, an argument is {}", Derived::kIntegers ? " or i32" : "", inputs[0]);
    return {{inputs[0].dtype, shape}};
  }
  std::vector<Gradient> gradient(const GradientContext& context) const override;
  std::vector<Alias> aliases(std::span<const TensorType> inputs, std::span<const TensorType> outputs) const override {
    return share_equal_sizes(inputs, outputs);
  }
  std::vector<Value> over_time(const TimeContext& context) const override {
    return elementwise_over_time(*this, context);
  }
  TileFunction tile(std::span<const TensorType> inputs) const override {
    if (inputs[0].dtype != f32) return nullptr;
    BinarySpans<float, float> spans = plain_spans<Derived, float, float>();
    if constexpr (requires { Derived::adjust(spans); }) Derived::adjust(spans);
    return [run = spans.both](const void* const* in, void* out, std::int64_t n) {
      run(static_cast<const float*>(in[0]), static_cast<const float*>(in[1]), static_cast<float*>(out), n);
    };
  }
  Kernel make_kernel(const KernelContext& context) const override {
    if constexpr (Derived::kIntegers) {
      if (context.inputs[0].dtype == i32)
        return broadcast_kernel(context, plain_spans<Derived, std::int32_t, std::int32_t>());
    }
    BinarySpans<float, float> spans = plain_spans<Derived, float, float>();
    if constexpr (requires { Derived::adjust(spans); }) Derived::adjust(spans);
    return broadcast_kernel(context, spans);
  }
};

/// Sums each derivative to the shape of its input.
std::vector<Gradient> summed_to_inputs(const GradientContext& context, const std::pair<Value, Value>& derivatives);

template <class Derived>
std::vector<Gradient> BinaryOp<Derived>::gradient(const GradientContext& context) const {
  return summed_to_inputs(context, Derived::derivatives(context));
}

/// Adds the node of an op on two inputs: the body of its builder function.
template <class O>
Value binary_node(O op, const Operand& a, const Operand& b) {
  const auto [left, right] = values_of(O::kName, a, b);
  return add_node(left.graph(), std::move(op), {left, right}, a.where);
}

/// Registers cases of z = f(x, y) that reach every inner loop: equal shapes, a row, a column, a number on either side,
/// and general broadcasting.
struct RegisterBinaryCases {
  RegisterBinaryCases(const std::string& name, Value (*build)(Operand, Operand), double (*reference)(double, double),
                      float low = -2, float high = 2);
};

}  // namespace eddy
