// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/concat.h"

#include <utility>

#include "eddy/graph/graph.h"
#include "eddy/ops/argument.h"
#include "eddy/ops/broadcast_to.h"
#include "eddy/ops/op_case.h"
#include "eddy/ops/reshape.h"
#include "eddy/ops/slice.h"
#include "eddy/ops/strips.h"

namespace eddy {
namespace {

struct Concat final : OpClass<Concat> {
  static constexpr std::string_view kName = "concat";
  int axis;

  explicit Concat(int a) : axis(a) {}
  static void attributes(auto& op, auto&& visit) { visit("axis", op.axis); }

  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override {
    TensorType result = inputs[0];
    result.shape[axis] = 0;
    for (const TensorType& type : inputs) {
      TensorType rest = type;
      if (type.shape.rank() > axis) rest.shape[axis] = 0;
      std::int64_t& size = result.shape[axis];
      const std::int64_t so_far = std::exchange(size, 0);
      require<GraphError>(rest == result, "{} and {} do not join along axis {}", inputs[0], type, axis);
      size = so_far + type.shape[axis];
    }
    return {result};
  }
  std::vector<Gradient> gradient(const GradientContext& context) const override {
    std::vector<std::int64_t> sizes;
    for (const Value& input : context.inputs) sizes.push_back(input.dim(axis));
    std::vector<Gradient> result;
    for (const Value& part : split(context.d_out(0), sizes, axis)) result.emplace_back(part);
    return result;
  }
  Cost cost(std::span<const TensorType>, std::span<const TensorType> outputs) const override {
    return {.flops = 0, .bytes = 2.0 * static_cast<double>(outputs[0].bytes())};
  }
  std::vector<Value> simplify(std::span<const Value> inputs) const override {
    if (inputs.size() == 1) return {inputs[0]};
    return {};
  }
  std::optional<Window> output_window(std::span<const TensorType> inputs, int input) const override {
    Shape whole = inputs[0].shape;
    std::int64_t begin = 0;
    whole[axis] = 0;
    for (int i = 0; i < static_cast<int>(inputs.size()); ++i) {
      const std::int64_t size = inputs[static_cast<std::size_t>(i)].shape[axis];
      if (i < input) begin += size;
      whole[axis] += size;
    }
    return window_along(whole, axis, begin, begin + inputs[static_cast<std::size_t>(input)].shape[axis]);
  }
  std::vector<Value> over_time(const TimeContext& context) const override {
    std::vector<Value> parts;
    for (std::size_t i = 0; i < context.inputs.size(); ++i) {
      const Value& part = context.in(i);
      parts.push_back(context.stepped[i] ? part : broadcast_to(part, part.shape().inserted(0, context.time)));
    }
    return {concat(parts, axis + 1)};
  }
  Kernel make_kernel(const KernelContext& context) const override {
    const TensorType& out = context.outputs[0];
    const std::int64_t unit =
        out.shape.product(axis + 1, out.shape.rank()) * static_cast<std::int64_t>(size_of(out.dtype));
    std::vector<std::int64_t> widths;
    for (const TensorType& type : context.inputs) widths.push_back(type.shape[axis] * unit);
    return {
        .run = [widths, stride = out.shape[axis] * unit, rows = out.shape.product(0, axis)](const KernelArgs& args) {
          std::byte* target = args.out<std::byte>(0);
          for (std::size_t i = 0; i < widths.size(); target += widths[i++])
            copy_strips(args.in<std::byte>(static_cast<int>(i)), widths[i], target, stride, widths[i], rows);
        }};
  }
};

}  // namespace

Value concat(const std::vector<Value>& values, int axis, SourceLocation where) {
  require_argument(!values.empty(), Concat::kName, Operand(0, where), "there is nothing to join");
  const int position = axis_of(Concat::kName, {values[0], where}, axis);
  return add_node(values[0].graph(), Concat(position), values, where);
}

Value stack(const std::vector<Value>& values, int axis, SourceLocation where) {
  require_argument(!values.empty(), "stack", Operand(0, where), "there is nothing to stack");
  std::vector<Value> expanded;
  for (const Value& each : values) {
    const Value value = value_of("stack", {each, where});
    require_argument(value.type() == values[0].type(), "stack", {value, where}, "types differ: {} and {}",
                     to_string(values[0].type()), to_string(value.type()));
    expanded.push_back(expand_dims({value, where}, axis));
  }
  return concat(expanded, axis, where);
}

namespace {

const RegisterOpCase case_concat{{
    .name = "concat",
    .inputs = {{{f32, {3, 2}}}, {{f32, {3, 4}}}},
    .build = [](Graph&, std::span<const Value> in) -> std::vector<Value> {
      return {concat({in[0], in[1], in[0]}, 1)};
    },
    .reference =
        [](std::span<const std::vector<double>> in) {
          std::vector<double> out;
          for (std::ptrdiff_t row = 0; row < 3; ++row) {
            out.insert(out.end(), in[0].begin() + 2 * row, in[0].begin() + 2 * row + 2);
            out.insert(out.end(), in[1].begin() + 4 * row, in[1].begin() + 4 * row + 4);
            out.insert(out.end(), in[0].begin() + 2 * row, in[0].begin() + 2 * row + 2);
          }
          return FlatArrays{out};
        },
    .bench_inputs = {{{f32, {3200, 256}}}, {{f32, {3200, 256}}}},
}};
const RegisterOpCase case_stack{{
    .name = "concat/stack_last",
    .inputs = {{{f32, {5}}}, {{f32, {5}}}},
    .build = [](Graph&, std::span<const Value> in) -> std::vector<Value> {
      return {stack({in[0], in[1]}, -1)};
    },
    .reference =
        [](std::span<const std::vector<double>> in) {
          std::vector<double> out;
          for (std::size_t i = 0; i < 5; ++i) out.insert(out.end(), {in[0][i], in[1][i]});
          return FlatArrays{out};
        },
}};

}  // namespace
}  // namespace eddy
