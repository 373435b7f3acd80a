// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal: part of ops.

#include <cstdint>

#include "eddy/ops/reduce_kernel.h"
#include "eddy/ops/share_among_equal.h"

namespace eddy {

// What max and min have in common; for `Order` see orders.h.

template <class Order>
struct FloatExtreme {
  using In = float;
  using Sum = float;
  using Out = float;

  static Sum start() { return Order::template worst<float>(); }
  /// NaN wins over all.
  static Sum join(Sum a, Sum b) { return (Order::beats(a, b) | (a != a)) ? a : b; }
  static Out finish(Sum sum) { return sum; }
  static Sum row(const In* in, std::int64_t n) { return Order::best_value(in, n); }
  static void rows(Sum* sums, const In* in, std::int64_t stride, std::int64_t rows, std::int64_t n) {
    for (std::int64_t row = 0; row < rows; ++row) Order::best_values(sums, in + row * stride, sums, n);
  }
};

template <class Order>
struct IntegerExtreme {
  using In = std::int32_t;
  using Sum = std::int32_t;
  using Out = std::int32_t;

  static Sum start() { return Order::template worst<std::int32_t>(); }
  static Sum join(Sum a, Sum b) { return Order::beats(a, b) ? a : b; }
  static Out finish(Sum sum) { return sum; }
  static Sum row(const In* in, std::int64_t n) {
    Sum best = start();
    for (std::int64_t i = 0; i < n; ++i) best = join(best, in[i]);
    return best;
  }
  static void rows(Sum* sums, const In* in, std::int64_t stride, std::int64_t rows, std::int64_t n) {
    for (std::int64_t row = 0; row < rows; ++row)
      for (std::int64_t i = 0; i < n; ++i) sums[i] = join(sums[i], in[row * stride + i]);
  }
};

template <class Derived, class Order>
struct ExtremeOp : ReduceOp<Derived> {
  static constexpr bool kIntegers = true;
  using ReduceOp<Derived>::ReduceOp;

  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override {
    std::vector<TensorType> types = ReduceOp<Derived>::infer(inputs);
    require<GraphError>(this->count(inputs[0].shape) > 0, "there is no {} of nothing: x is {}", Derived::kName,
                        inputs[0]);
    return types;
  }
  std::vector<Gradient> gradient(const GradientContext& context) const override {
    return {share_among_equal(context.in(0), context.out(0), context.d_out(0), *this)};
  }
  std::vector<Value> simplify(std::span<const Value> inputs) const override {
    if (this->result(inputs[0].shape()) == inputs[0].shape()) return {inputs[0]};
    return {};
  }
  Kernel kernel(const Shape& x, DType dtype) const {
    return dtype == i32 ? reduce_kernel(x, this->axes, IntegerExtreme<Order>{})
                        : reduce_kernel(x, this->axes, FloatExtreme<Order>{});
  }
};

}  // namespace eddy
