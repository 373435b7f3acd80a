// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/reverse.h"

#include "eddy/graph/graph.h"
#include "eddy/ops/argument.h"
#include "eddy/ops/op_case.h"
#include "eddy/ops/strips.h"

namespace eddy {
namespace {

struct Reverse final : OpClass<Reverse> {
  static constexpr std::string_view kName = "reverse";
  int axis;

  explicit Reverse(int a) : axis(a) {}
  static void attributes(auto& op, auto&& visit) { visit("axis", op.axis); }

  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override { return {inputs[0]}; }
  std::vector<Gradient> gradient(const GradientContext& context) const override {
    return {reverse(context.d_out(0), axis)};
  }
  Cost cost(std::span<const TensorType> inputs, std::span<const TensorType>) const override {
    return {.flops = 0, .bytes = 2.0 * static_cast<double>(inputs[0].bytes())};
  }
  std::vector<Value> simplify(std::span<const Value> inputs) const override {
    if (inputs[0].dim(axis) <= 1) return {inputs[0]};
    const Node& before = inputs[0].graph().node(inputs[0].node());
    const auto* first = dynamic_cast<const Reverse*>(before.op.get());
    if (first != nullptr && first->axis == axis) return {before.inputs[0]};
    return {};
  }
  Kernel make_kernel(const KernelContext& context) const override {
    const TensorType& type = context.inputs[0];
    const Shape& shape = type.shape;
    const std::int64_t unit = shape.product(axis + 1, shape.rank()) * static_cast<std::int64_t>(size_of(type.dtype));
    return {.run = [unit, size = shape[axis], rows = shape.product(0, axis)](const KernelArgs& args) {
      if (size == 0) return;
      for (std::int64_t row = 0; row < rows; ++row) {
        const std::byte* last = args.in<std::byte>(0) + (row * size + size - 1) * unit;
        copy_strips(last, -unit, args.out<std::byte>(0) + row * size * unit, unit, unit, size);
      }
    }};
  }
};

}  // namespace

Value reverse(Operand x, int axis) {
  const Value value = value_of(Reverse::kName, x);
  return add_node(value.graph(), Reverse(axis_of(Reverse::kName, x, axis)), {value}, x.where);
}

namespace {

const RegisterOpCase case_reverse{{
    .name = "reverse",
    .inputs = {{{f32, {2, 3, 2}}}},
    .build = [](Graph&, std::span<const Value> in) -> std::vector<Value> { return {reverse(in[0], 1)}; },
    .reference =
        [](std::span<const std::vector<double>> in) {
          std::vector<double> out(12);
          for (std::size_t i = 0; i < 12; ++i) out[i / 6 * 6 + (2 - i % 6 / 2) * 2 + i % 2] = in[0][i];
          return FlatArrays{out};
        },
    .bench_inputs = {{{f32, {100, 32, 512}}}},
}};

}  // namespace
}  // namespace eddy
