// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/shift.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "eddy/core/element_type.h"
#include "eddy/graph/graph.h"
#include "eddy/ops/elementwise.h"
#include "eddy/ops/op_case.h"
#include "eddy/ops/strips.h"

namespace eddy {
namespace {

struct Shift final : OpClass<Shift> {
  static constexpr std::string_view kName = "shift";
  std::int64_t steps;
  double fill;

  Shift(std::int64_t s, double f) : steps(s), fill(f) {}
  static void attributes(auto& op, auto&& visit) {
    visit("steps", op.steps);
    visit("fill", op.fill);
  }
  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override {
    require<GraphError>(inputs[0].shape.rank() >= 1, "a scalar has no axis to shift along");
    require<GraphError>(steps != std::numeric_limits<std::int64_t>::min(), "cannot shift by {} steps", steps);
    return {inputs[0]};
  }
  std::vector<Gradient> gradient(const GradientContext& context) const override {
    return {shift(context.d_out(0), -steps, 0)};
  }
  Cost cost(std::span<const TensorType> inputs, std::span<const TensorType>) const override {
    return {.flops = 0, .bytes = 2.0 * static_cast<double>(inputs[0].bytes())};
  }
  std::vector<Value> simplify(std::span<const Value> inputs) const override {
    if (steps == 0) return {inputs[0]};
    return {};
  }
  Kernel make_kernel(const KernelContext& context) const override {
    const TensorType& x = context.inputs[0];
    return with_element_type(x.dtype, [&](auto zero) { return kernel<decltype(zero)>(x.shape); });
  }

 private:
  template <class T>
  Kernel kernel(const Shape& shape) const {
    const std::int64_t unit = shape.product(1, shape.rank());
    const std::int64_t by = std::clamp(steps, -shape[0], shape[0]);
    return {.run = [unit, by, kept = shape[0] - std::abs(by), value = static_cast<T>(fill)](const KernelArgs& args) {
      const T* in = args.in<T>(0) + std::max<std::int64_t>(0, -by) * unit;
      T* out = args.out<T>(0) + std::max<std::int64_t>(0, by) * unit;
      const std::int64_t bytes = unit * static_cast<std::int64_t>(sizeof(T));
      copy_strips(reinterpret_cast<const std::byte*>(in), bytes, reinterpret_cast<std::byte*>(out), bytes, bytes, kept);
      std::fill_n(by > 0 ? args.out<T>(0) : out + kept * unit, std::abs(by) * unit, value);
    }};
  }
};

}  // namespace

Value shift(Operand x, std::int64_t steps, std::optional<double> fill) {
  const Value value = value_of(Shift::kName, x);
  const double number = fill.value_or(value.dtype() == i32 ? -1 : 0);
  require_number(Shift::kName, number, value.type(), x.where);
  return add_node(value.graph(), Shift(steps, number), {value}, x.where);
}

namespace {

const RegisterOpCase case_back{{
    .name = "shift",
    .inputs = {{{f32, {4, 3}}}},
    .build = [](Graph&, std::span<const Value> in) -> std::vector<Value> {
      return {shift(in[0], -1), shift(in[0], 3, 0.5f), shift(in[0], 9)};
    },
    .reference =
        [](std::span<const std::vector<double>> in) {
          std::vector<double> back(in[0].begin() + 3, in[0].end());
          back.resize(12, 0.0);
          std::vector<double> ahead(9, 0.5);
          ahead.insert(ahead.end(), in[0].begin(), in[0].begin() + 3);
          return FlatArrays{back, ahead, std::vector<double>(12, 0.0)};
        },
    .bench_inputs = {{{f32, {100, 32, 512}}}},
}};
const RegisterOpCase case_tokens{{
    .name = "shift/tokens",
    .inputs = {{{i32, {5, 2}}, 0, 100}},
    .build = [](Graph&, std::span<const Value> in) -> std::vector<Value> { return {shift(in[0], -2)}; },
    .reference =
        [](std::span<const std::vector<double>> in) {
          std::vector<double> out(in[0].begin() + 4, in[0].end());
          out.resize(10, -1.0);
          return FlatArrays{out};
        },
    .bench_inputs = {{{i32, {100, 512}}, 0, 10000}},
}};

}  // namespace
}  // namespace eddy
