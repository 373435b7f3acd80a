// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/reshape.h"

#include <algorithm>
#include <vector>

#include "eddy/graph/graph.h"
#include "eddy/ops/argument.h"
#include "eddy/ops/op_case.h"

namespace eddy {
namespace {

struct Reshape final : OpClass<Reshape> {
  static constexpr std::string_view kName = "reshape";
  Shape shape;

  explicit Reshape(const Shape& s) : shape(s) {}
  static void attributes(auto& op, auto&& visit) { visit("shape", op.shape); }

  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override {
    require<GraphError>(shape.elements() == inputs[0].shape.elements(), "{} has {} elements, shape {} has {}",
                        inputs[0], inputs[0].shape.elements(), to_string(shape), shape.elements());
    return {{inputs[0].dtype, shape}};
  }
  std::vector<Gradient> gradient(const GradientContext& context) const override {
    return {reshape(context.d_out(0), context.in(0).shape())};
  }
  Cost cost(std::span<const TensorType>, std::span<const TensorType>) const override { return {}; }
  std::vector<Alias> aliases(std::span<const TensorType>, std::span<const TensorType>) const override {
    return {{.output = 0, .input = 0, .kind = Alias::Kind::view}};
  }
  std::vector<Value> simplify(std::span<const Value> inputs) const override {
    if (inputs[0].shape() == shape) return {inputs[0]};
    const Node& before = inputs[0].graph().node(inputs[0].node());
    if (before.op->name() == kName) return {reshape(before.inputs[0], shape)};
    return {};
  }
  std::vector<Value> over_time(const TimeContext& context) const override {
    if (shape.rank() >= Shape::kMaxRank) return {};
    return {reshape(context.in(0), shape.inserted(0, context.time))};
  }
  Kernel make_kernel(const KernelContext&) const override { return {}; }
};

/// The shape of these sizes, with 1 for one that is -1.
Shape shape_argument(const Operand& x, std::span<const std::int64_t> sizes) {
  std::vector<std::int64_t> known(sizes.begin(), sizes.end());
  std::ranges::replace(known, -1, 1);
  try {
    return Shape(std::span<const std::int64_t>(known));
  } catch (const GraphError& error) {
    throw error.within(Reshape::kName, user_origin(x.where));
  }
}

}  // namespace

Value before_reshape(Value value) {
  const Node& node = value.graph().node(value.node());
  return node.op->name() == Reshape::kName ? before_reshape(node.inputs[0]) : value;
}

Value reshape(Operand x, const Shape& shape) {
  const Value value = value_of(Reshape::kName, x);
  if (value.shape() == shape) return value;
  return add_node(value.graph(), Reshape(shape), {value}, x.where);
}

Value reshape(Operand x, std::span<const std::int64_t> sizes) {
  const std::int64_t elements = value_of(Reshape::kName, x).shape().elements();
  const auto free = std::ranges::find(sizes, -1);
  require_argument(std::ranges::count(sizes, -1) <= 1, Reshape::kName, x, "only one size may be -1, they are [{}]",
                   fmt::join(sizes, ","));
  Shape shape = shape_argument(x, sizes);
  if (free != sizes.end()) {
    const std::int64_t known = shape.elements();
    require_argument(known > 0 && elements % known == 0, Reshape::kName, x,
                     "{} cannot become [{}]: {} is no multiple of {}", to_string(x.value.type()), fmt::join(sizes, ","),
                     elements, known);
    shape[static_cast<int>(free - sizes.begin())] = elements / known;
  }
  return reshape(x, shape);
}

Value reshape(Operand x, std::initializer_list<std::int64_t> sizes) {
  return reshape(x, std::span<const std::int64_t>(sizes.begin(), sizes.size()));
}

Value with_rank_after_time(Value x, int rank) {
  Shape shape = x.shape();
  while (shape.rank() < rank + 1) shape = shape.inserted(1, 1);
  return reshape(x, shape);
}

Value flatten(Operand x, int first, int last) {
  const Shape shape = value_of("flatten", x).shape();
  if (shape.rank() == 0) return reshape(x, Shape{1});
  const int begin = axis_of("flatten", x, first);
  const int end = axis_of("flatten", x, last);
  require_argument(begin <= end, "flatten", x, "axes {} to {} of {} are in the wrong order", first, last,
                   to_string(shape));
  Shape result;
  for (int axis = 0; axis < begin; ++axis) result = result.appended(shape[axis]);
  result = result.appended(shape.product(begin, end + 1));
  for (int axis = end + 1; axis < shape.rank(); ++axis) result = result.appended(shape[axis]);
  return reshape(x, result);
}

Value squeeze(Operand x, int axis) {
  const int position = axis_of("squeeze", x, axis);
  require_argument(x.value.dim(position) == 1, "squeeze", x, "axis {} of {} has size {}, not 1", axis,
                   to_string(x.value.type()), x.value.dim(position));
  return reshape(x, x.value.shape().removed(position));
}

Value expand_dims(Operand x, int axis) {
  const int rank = value_of("expand_dims", x).rank();
  require_argument(axis >= -rank - 1 && axis <= rank, "expand_dims", x, "axis {} is out of range for {}", axis,
                   to_string(x.value.type()));
  require_argument(rank < Shape::kMaxRank, "expand_dims", x, "{} has {} axes, more than {} there cannot be",
                   to_string(x.value.type()), rank, int{Shape::kMaxRank});
  return reshape(x, x.value.shape().inserted(axis < 0 ? axis + rank + 1 : axis, 1));
}

namespace {

const RegisterOpCase case_reshape{{
    .name = "reshape",
    .inputs = {{{f32, {3, 4, 5}}}},
    .build = [](Graph&, std::span<const Value> in) -> std::vector<Value> {
      return {reshape(in[0], {6, -1})};
    },
    .reference = [](std::span<const std::vector<double>> in) { return FlatArrays{in[0]}; },
    .bench_inputs = {{{f32, {96, 32, 512}}}},
}};
const RegisterOpCase case_flatten{{
    .name = "reshape/flatten_expand_squeeze",
    .inputs = {{{f32, {3, 4, 5}}}},
    .build = [](Graph&, std::span<const Value> in) -> std::vector<Value> {
      return {squeeze(expand_dims(flatten(in[0], 1), -1), 2)};
    },
    .reference = [](std::span<const std::vector<double>> in) { return FlatArrays{in[0]}; },
    .bench_inputs = {{{f32, {100, 32, 512}}}},
}};

}  // namespace
}  // namespace eddy
