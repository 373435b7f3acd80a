// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/slice.h"

#include <algorithm>
#include <numeric>

#include "eddy/core/element_type.h"
#include "eddy/graph/builtin.h"
#include "eddy/graph/graph.h"
#include "eddy/ops/argument.h"
#include "eddy/ops/concat.h"
#include "eddy/ops/op_case.h"
#include "eddy/ops/reshape.h"
#include "eddy/ops/strips.h"

namespace eddy {
namespace {

std::int64_t bytes_per_position(const TensorType& type, int axis) {
  return type.shape.product(axis + 1, type.shape.rank()) * static_cast<std::int64_t>(size_of(type.dtype));
}

/// With nothing but size 1 before it, an axis cuts memory into consecutive pieces.
bool leads(const Shape& shape, int axis) { return shape.product(0, axis) == 1; }

struct Slice final : OpClass<Slice> {
  static constexpr std::string_view kName = "slice";
  int axis;
  std::int64_t begin, end;

  Slice(int a, std::int64_t b, std::int64_t e) : axis(a), begin(b), end(e) {}
  static void attributes(auto& op, auto&& visit) {
    visit("axis", op.axis);
    visit("begin", op.begin);
    visit("end", op.end);
  }
  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override {
    TensorType type = inputs[0];
    require<GraphError>(begin >= 0 && begin <= end && end <= type.shape[axis],
                        "positions {} to {} do not lie within axis {} of {}", begin, end, axis, type);
    type.shape[axis] = end - begin;
    return {type};
  }
  std::vector<Gradient> gradient(const GradientContext& context) const override {
    return {pad(context.d_out(0), axis, begin, context.in(0).dim(axis) - end)};
  }
  Cost cost(std::span<const TensorType> inputs, std::span<const TensorType> outputs) const override {
    if (leads(inputs[0].shape, axis)) return {};
    return {.flops = 0, .bytes = 2.0 * static_cast<double>(outputs[0].bytes())};
  }
  std::vector<Alias> aliases(std::span<const TensorType> inputs, std::span<const TensorType>) const override {
    if (!leads(inputs[0].shape, axis)) return {};
    const auto offset = static_cast<std::size_t>(begin * bytes_per_position(inputs[0], axis));
    return {{.output = 0, .input = 0, .kind = Alias::Kind::view, .offset = offset}};
  }
  std::vector<Value> simplify(std::span<const Value> inputs) const override {
    if (begin == 0 && end == inputs[0].dim(axis)) return {inputs[0]};
    return {};
  }
  std::optional<Window> input_window(std::span<const TensorType> inputs, int) const override {
    return window_along(inputs[0].shape, axis, begin, end);
  }
  std::vector<Value> over_time(const TimeContext& context) const override {
    return {slice(context.in(0), axis + 1, begin, end)};
  }
  Kernel make_kernel(const KernelContext& context) const override {
    const TensorType& type = context.inputs[0];
    if (leads(type.shape, axis)) return {};
    const std::int64_t unit = bytes_per_position(type, axis);
    return {.run = [offset = begin * unit, in_stride = type.shape[axis] * unit, width = (end - begin) * unit,
                    rows = type.shape.product(0, axis)](const KernelArgs& args) {
      copy_strips(args.in<std::byte>(0) + offset, in_stride, args.out<std::byte>(0), width, width, rows);
    }};
  }
};

struct Pad final : OpClass<Pad> {
  static constexpr std::string_view kName = "pad";
  int axis;
  std::int64_t before, after;
  double number;

  Pad(int a, std::int64_t b, std::int64_t f, double n) : axis(a), before(b), after(f), number(n) {}
  static void attributes(auto& op, auto&& visit) {
    visit("axis", op.axis);
    visit("before", op.before);
    visit("after", op.after);
    visit("number", op.number);
  }
  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override {
    constexpr std::int64_t kMost = std::int64_t{1} << 56;
    require<GraphError>(before >= 0 && after >= 0 && before < kMost && after < kMost,
                        "cannot pad by {} and {} elements", before, after);
    TensorType type = inputs[0];
    type.shape[axis] += before + after;
    return {type};
  }
  std::vector<Gradient> gradient(const GradientContext& context) const override {
    return {slice(context.d_out(0), axis, before, before + context.in(0).dim(axis))};
  }
  Cost cost(std::span<const TensorType> inputs, std::span<const TensorType> outputs) const override {
    return {.flops = 0, .bytes = static_cast<double>(inputs[0].bytes() + outputs[0].bytes())};
  }
  std::vector<Value> simplify(std::span<const Value> inputs) const override {
    if (before == 0 && after == 0) return {inputs[0]};
    return {};
  }
  /// Pieces of one axis that do not meet, such as the gradients of an unrolled loop's steps, are joined: added up, each
  /// would take the memory of the whole.
  std::vector<Value> fewer_terms(std::span<const Value> terms) const override {
    std::vector<Value> pieces, others;
    for (const Value& term : terms) {
      const auto* pad = pad_of(term);
      (pad != nullptr && pad->axis == axis && pad->number == 0 && number == 0 ? pieces : others).push_back(term);
    }
    if (pieces.size() < 2) return {};
    std::ranges::stable_sort(pieces, {}, [](const Value& term) { return pad_of(term)->before; });
    std::vector<Value> joined;
    std::int64_t end = 0;
    const auto leave = [&](std::int64_t count) {
      TensorType gap = pieces[0].type();
      gap.shape[axis] = count;
      if (count > 0) joined.push_back(full(pieces[0].graph(), gap, 0));
    };
    for (const Value& term : pieces) {
      const std::int64_t begin = pad_of(term)->before;
      if (begin < end) return {};
      leave(begin - end);
      joined.push_back(term.graph().node(term.node()).inputs[0]);
      end = begin + joined.back().dim(axis);
    }
    leave(pieces[0].dim(axis) - end);
    others.push_back(concat(joined, axis));
    return others;
  }
  std::vector<Value> over_time(const TimeContext& context) const override {
    return {pad(context.in(0), axis + 1, before, after, number)};
  }
  Kernel make_kernel(const KernelContext& context) const override {
    const TensorType& x = context.inputs[0];
    return with_element_type(x.dtype, [&](auto zero) { return kernel<decltype(zero)>(x.shape); });
  }

 private:
  static const Pad* pad_of(const Value& value) {
    return dynamic_cast<const Pad*>(value.graph().node(value.node()).op.get());
  }
  template <class T>
  Kernel kernel(const Shape& shape) const {
    const std::int64_t unit = shape.product(axis + 1, shape.rank());
    return {.run = [rows = shape.product(0, axis), head = before * unit, width = shape[axis] * unit,
                    tail = after * unit, value = static_cast<T>(number)](const KernelArgs& args) {
      const T* in = args.in<T>(0);
      T* out = args.out<T>(0);
      const std::int64_t total = head + width + tail;
      parallel_for(rows, grain_of(total, 4 * kElementwiseGrain), [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t row = begin; row < end; ++row) {
          T* target = std::fill_n(out + row * total, head, value);
          target = std::copy_n(in + row * width, width, target);
          std::fill_n(target, tail, value);
        }
      });
    }};
  }
};

struct Split final : OpClass<Split> {
  static constexpr std::string_view kName = "split";
  int axis;
  std::vector<std::int64_t> sizes;

  Split(int a, std::vector<std::int64_t> s) : axis(a), sizes(std::move(s)) {}
  static void attributes(auto& op, auto&& visit) {
    visit("axis", op.axis);
    visit("sizes", op.sizes);
  }
  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override {
    const std::int64_t total = std::accumulate(sizes.begin(), sizes.end(), std::int64_t{0});
    require<GraphError>(!sizes.empty() && total == inputs[0].shape[axis], "sizes [{}] do not add up to axis {} of {}",
                        fmt::join(sizes, ","), axis, inputs[0]);
    std::vector<TensorType> outputs;
    for (const std::int64_t size : sizes) {
      require<GraphError>(size >= 0, "size {} is negative", size);
      outputs.push_back(inputs[0]);
      outputs.back().shape[axis] = size;
    }
    return outputs;
  }
  std::vector<Gradient> gradient(const GradientContext& context) const override {
    std::vector<Value> parts;
    for (std::size_t i = 0; i < sizes.size(); ++i) {
      const Value& output = context.outputs[i];
      const Value& gradient = context.output_gradients[i];
      parts.push_back(gradient ? gradient : full(output.graph(), output.type(), 0.0f));
    }
    return {concat(parts, axis)};
  }
  Cost cost(std::span<const TensorType> inputs, std::span<const TensorType>) const override {
    if (leads(inputs[0].shape, axis)) return {};
    return {.flops = 0, .bytes = 2.0 * static_cast<double>(inputs[0].bytes())};
  }
  std::vector<Alias> aliases(std::span<const TensorType> inputs, std::span<const TensorType>) const override {
    std::vector<Alias> result;
    if (!leads(inputs[0].shape, axis)) return result;
    std::int64_t begin = 0;
    for (std::size_t i = 0; i < sizes.size(); begin += sizes[i++])
      result.push_back({.output = static_cast<int>(i),
                        .input = 0,
                        .kind = Alias::Kind::view,
                        .offset = static_cast<std::size_t>(begin * bytes_per_position(inputs[0], axis))});
    return result;
  }
  std::vector<Value> simplify(std::span<const Value> inputs) const override {
    if (sizes.size() == 1) return {inputs[0]};
    return {};
  }
  std::optional<Window> input_window(std::span<const TensorType> inputs, int output) const override {
    const std::int64_t begin = std::accumulate(sizes.begin(), sizes.begin() + output, std::int64_t{0});
    return window_along(inputs[0].shape, axis, begin, begin + sizes[static_cast<std::size_t>(output)]);
  }
  std::vector<Value> over_time(const TimeContext& context) const override {
    return split(context.in(0), sizes, axis + 1);
  }
  Kernel make_kernel(const KernelContext& context) const override {
    const TensorType& type = context.inputs[0];
    if (leads(type.shape, axis)) return {};
    const std::int64_t unit = bytes_per_position(type, axis);
    return {.run = [unit, sizes = sizes, stride = type.shape[axis] * unit,
                    rows = type.shape.product(0, axis)](const KernelArgs& args) {
      std::int64_t offset = 0;
      for (std::size_t i = 0; i < sizes.size(); ++i) {
        const std::int64_t width = sizes[i] * unit;
        if (args.outputs[i] != nullptr)
          copy_strips(args.in<std::byte>(0) + offset, stride, args.out<std::byte>(static_cast<int>(i)), width, width,
                      rows);
        offset += width;
      }
    }};
  }
};

}  // namespace

Value slice(Operand x, int axis, std::int64_t begin, std::int64_t end) {
  const int position = axis_of(Slice::kName, x, axis);
  const std::int64_t size = x.value.dim(position);
  if (begin < 0) begin += size;
  if (end == kToEnd) end = size;
  if (end < 0) end += size;
  return add_node(x.value.graph(), Slice(position, begin, end), {x.value}, x.where);
}

Value at(Operand x, std::int64_t index, int axis) {
  const int position = axis_of("at", x, axis);
  const std::int64_t size = x.value.dim(position);
  require_argument(index >= -size && index < size, "at", x, "position {} is out of range for axis {} of {}", index,
                   axis, to_string(x.value.type()));
  const std::int64_t begin = index < 0 ? index + size : index;
  return squeeze({slice(x, axis, begin, begin + 1), x.where}, axis);
}

Value pad(Operand x, int axis, std::int64_t before, std::int64_t after, double number) {
  require_number(Pad::kName, number, value_of(Pad::kName, x).type(), x.where);
  return add_node(x.value.graph(), Pad(axis_of(Pad::kName, x, axis), before, after, number), {x.value}, x.where);
}

std::vector<Value> split(Operand x, std::span<const std::int64_t> sizes, int axis) {
  Graph& graph = value_of(Split::kName, x).graph();
  std::vector<std::int64_t> list(sizes.begin(), sizes.end());
  return graph.outputs(add_node(graph, Split(axis_of(Split::kName, x, axis), std::move(list)), {x.value}, x.where));
}

std::vector<Value> split(Operand x, int parts, int axis) {
  const std::int64_t size = x.value.dim(axis_of(Split::kName, x, axis));
  require_argument(parts >= 1 && size % parts == 0, Split::kName, x, "axis {} of {} does not divide into {} parts",
                   axis, to_string(x.value.type()), parts);
  return split(x, std::vector<std::int64_t>(static_cast<std::size_t>(parts), size / parts), axis);
}

namespace {

// In the references, in[0] is [rows][cols] with the cut along cols.
std::vector<double> columns(const std::vector<double>& in, std::size_t cols, std::size_t begin, std::size_t end) {
  std::vector<double> out;
  for (std::size_t i = 0; i < in.size(); ++i)
    if (i % cols >= begin && i % cols < end) out.push_back(in[i]);
  return out;
}

const RegisterOpCase case_slice{{
    .name = "slice",
    .inputs = {{{f32, {3, 7, 2}}}},
    .build = [](Graph&, std::span<const Value> in) -> std::vector<Value> { return {slice(in[0], 1, 2, -1)}; },
    .reference = [](std::span<const std::vector<double>> in) { return FlatArrays{columns(in[0], 14, 4, 12)}; },
    .bench_inputs = {{{f32, {100, 32, 512}}}},
}};
const RegisterOpCase case_slice_view{{
    .name = "slice/leading",
    .inputs = {{{f32, {1, 5, 3}}}},
    .build = [](Graph&, std::span<const Value> in) -> std::vector<Value> { return {slice(in[0], 1, 1, 4)}; },
    .reference = [](std::span<const std::vector<double>> in) { return FlatArrays{columns(in[0], 15, 3, 12)}; },
}};
const RegisterOpCase case_at{{
    .name = "slice/at",
    .inputs = {{{f32, {4, 3}}}},
    .build = [](Graph&, std::span<const Value> in) -> std::vector<Value> {
      return {at(in[0], -1), at(in[0], 1, 1)};
    },
    .reference =
        [](std::span<const std::vector<double>> in) {
          return FlatArrays{columns(in[0], 12, 9, 12), columns(in[0], 3, 1, 2)};
        },
}};
const RegisterOpCase case_pad{{
    .name = "pad",
    .inputs = {{{f32, {3, 4}}}},
    .build = [](Graph&, std::span<const Value> in) -> std::vector<Value> { return {pad(in[0], 1, 2, 1, 0.5f)}; },
    .reference =
        [](std::span<const std::vector<double>> in) {
          std::vector<double> out(21, 0.5);
          for (std::size_t i = 0; i < 12; ++i) out[i / 4 * 7 + 2 + i % 4] = in[0][i];
          return FlatArrays{out};
        },
    .bench_inputs = {{{f32, {3200, 512}}}},
}};
const RegisterOpCase case_split{{
    .name = "split",
    .inputs = {{{f32, {3, 8}}}},
    .build = [](Graph&, std::span<const Value> in) -> std::vector<Value> {
      const auto [a, b] = split<2>(in[0], -1);
      return {a, b};
    },
    .reference =
        [](std::span<const std::vector<double>> in) {
          return FlatArrays{columns(in[0], 8, 0, 4), columns(in[0], 8, 4, 8)};
        },
    .bench_inputs = {{{f32, {3200, 2048}}}},
}};
const RegisterOpCase case_split_sizes{{
    .name = "split/leading_sizes",
    .inputs = {{{f32, {6, 2}}}},
    .build = [](Graph&, std::span<const Value> in) -> std::vector<Value> {
      const std::vector<Value> parts = split(in[0], std::vector<std::int64_t>{1, 2, 3}, 0);
      return {parts[2], parts[0]};
    },
    .reference =
        [](std::span<const std::vector<double>> in) {
          return FlatArrays{columns(in[0], 12, 6, 12), columns(in[0], 12, 0, 2)};
        },
}};

}  // namespace
}  // namespace eddy
