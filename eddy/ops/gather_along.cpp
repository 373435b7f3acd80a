// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/gather_along.h"

#include <algorithm>
#include <atomic>

#include "eddy/core/element_type.h"
#include "eddy/core/gather.h"
#include "eddy/core/threads.h"
#include "eddy/graph/graph.h"
#include "eddy/ops/argument.h"
#include "eddy/ops/op_case.h"
#include "eddy/ops/reshape.h"

namespace eddy {
namespace {

void check_index(const TensorType& index) {
  require<GraphError>(index.dtype == i32, "the index must be i32, not {}", to_string(index));
}

[[noreturn]] void refuse_positions(const std::int32_t* index, std::int64_t size) {
  std::int64_t i = 0;
  while (index[i] < size) ++i;
  fail<GraphError>("index {} at position {} is out of range for an axis of {}", index[i], i, size);
}

/// Views of both sides as [rows, axis, cols].
struct Sides {
  std::int64_t rows, cols, size, count;

  Sides(const Shape& table, const Shape& index, int axis)
      : rows(index.product(0, axis)),
        cols(index.product(axis + 1, index.rank())),
        size(table[axis]),
        count(index[axis]) {}
  /// Whether a row is gathered by vectors: elements of four bytes, enough of them next to each other, 32-bit positions.
  bool in_vectors(DType dtype) const {
    constexpr std::int64_t kEnough = 16;
    return size_of(dtype) == 4 && (cols == 1 ? count : cols) >= kEnough && size * cols <= INT32_MAX;
  }
  std::int64_t grain(std::int64_t more = 0) const { return grain_of(count * cols + more, kElementwiseGrain / 2); }

  /// Calls found(i, j) for each element i of `index`, in rows [begin, end), and the element j of the table that it
  /// names; nothing(i) where it is negative. Returns whether all lie within the axis.
  bool for_each(std::int64_t begin, std::int64_t end, const std::int32_t* index, auto&& found, auto&& nothing) const {
    bool within = true;
    std::int64_t i = begin * count * cols;
    for (std::int64_t row = begin; row < end; ++row)
      for (std::int64_t k = 0; k < count; ++k)
        for (std::int64_t col = 0; col < cols; ++col, ++i) {
          if (index[i] < 0)
            nothing(i);
          else if (index[i] < size)
            found(i, (row * size + index[i]) * cols + col);
          else
            within = false;
        }
    return within;
  }
};

Kernel gather_in_vectors(const Sides& sides) {
  return {.run = [sides](const KernelArgs& args) {
    const auto* x = args.in<std::int32_t>(0);
    const auto* index = args.in<std::int32_t>(1);
    auto* out = args.out<std::int32_t>(0);
    // What lies next to each other: a row's indices or, where the axis is not the last, its columns.
    const bool last = sides.cols == 1;
    const std::int64_t run = last ? sides.count : sides.cols, runs = last ? 1 : sides.count;
    const auto size = static_cast<std::int32_t>(sides.size), stride = static_cast<std::int32_t>(sides.cols);
    std::atomic<bool> within = true;
    parallel_for(sides.rows, sides.grain(), [&](std::int64_t begin, std::int64_t end) {
      bool good = true;
      for (std::int64_t row = begin; row < end; ++row)
        for (std::int64_t at = row * runs * run; at < (row + 1) * runs * run; at += run)
          good &=
              vector_gather(x + row * sides.size * sides.cols, index + at, size, stride, last ? 0 : 1, out + at, run);
      if (!good) within = false;
    });
    if (!within) refuse_positions(index, sides.size);
  }};
}

struct GatherAlong final : OpClass<GatherAlong> {
  static constexpr std::string_view kName = "gather_along";
  int axis;

  explicit GatherAlong(int a) : axis(a) {}
  static void attributes(auto& op, auto&& visit) { visit("axis", op.axis); }

  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override {
    check_index(inputs[1]);
    Shape expected = inputs[0].shape;
    if (inputs[1].shape.rank() == expected.rank()) expected[axis] = inputs[1].shape[axis];
    require<GraphError>(expected == inputs[1].shape, "index {} does not match {} beside axis {}", inputs[1], inputs[0],
                        axis);
    return {{inputs[0].dtype, expected}};
  }
  std::vector<Gradient> gradient(const GradientContext& context) const override {
    return {scatter_along(context.d_out(0), context.in(1), axis, context.in(0).dim(axis)), {}};
  }
  Cost cost(std::span<const TensorType>, std::span<const TensorType> outputs) const override {
    return {.flops = 0, .bytes = 3.0 * static_cast<double>(outputs[0].bytes())};
  }
  Kernel make_kernel(const KernelContext& context) const override {
    const Sides sides(context.inputs[0].shape, context.inputs[1].shape, axis);
    if (sides.in_vectors(context.inputs[0].dtype)) return gather_in_vectors(sides);
    return with_element_type(context.inputs[0].dtype, [&](auto zero) {
      using T = decltype(zero);
      return Kernel{.run = [sides](const KernelArgs& args) {
        const T* x = args.in<T>(0);
        const auto* index = args.in<std::int32_t>(1);
        T* out = args.out<T>(0);
        std::atomic<bool> within = true;
        parallel_for(sides.rows, sides.grain(), [&](std::int64_t begin, std::int64_t end) {
          if (!sides.for_each(
                  begin, end, index, [=](std::int64_t i, std::int64_t j) { out[i] = x[j]; },
                  [=](std::int64_t i) { out[i] = T(); }))
            within = false;
        });
        if (!within) refuse_positions(index, sides.size);
      }};
    });
  }
};

struct ScatterAlong final : OpClass<ScatterAlong> {
  static constexpr std::string_view kName = "scatter_along";
  int axis;
  std::int64_t size;

  ScatterAlong(int a, std::int64_t s) : axis(a), size(s) {}
  static void attributes(auto& op, auto&& visit) {
    visit("axis", op.axis);
    visit("size", op.size);
  }
  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override {
    check_index(inputs[1]);
    require<GraphError>(inputs[0].dtype == f32 && inputs[0].shape == inputs[1].shape,
                        "updates {} and index {} must have one shape, and updates be f32", inputs[0], inputs[1]);
    require<GraphError>(size >= 0, "size {} is negative", size);
    Shape shape = inputs[0].shape;
    shape[axis] = size;
    return {{f32, shape}};
  }
  std::vector<Gradient> gradient(const GradientContext& context) const override {
    return {gather_along(context.d_out(0), context.in(1), axis), {}};
  }
  Cost cost(std::span<const TensorType> inputs, std::span<const TensorType> outputs) const override {
    const auto updates = static_cast<double>(inputs[0].bytes());
    return {.flops = updates / 4, .bytes = 4.0 * updates + static_cast<double>(outputs[0].bytes())};
  }
  Kernel make_kernel(const KernelContext& context) const override {
    const Sides sides(context.outputs[0].shape, context.inputs[1].shape, axis);
    return {.run = [sides](const KernelArgs& args) {
      const float* updates = args.in<float>(0);
      const auto* index = args.in<std::int32_t>(1);
      float* out = args.out<float>(0);
      const std::int64_t plane = sides.size * sides.cols;
      std::atomic<bool> within = true;
      parallel_for(sides.rows, sides.grain(plane / 4), [&](std::int64_t begin, std::int64_t end) {
        std::fill(out + begin * plane, out + end * plane, 0.0f);
        if (!sides.for_each(
                begin, end, index, [=](std::int64_t i, std::int64_t j) { out[j] += updates[i]; }, [](std::int64_t) {}))
          within = false;
      });
      if (!within) refuse_positions(index, sides.size);
    }};
  }
};

}  // namespace

Value gather_along(Operand x, Operand index, int axis) {
  const Value value = value_of(GatherAlong::kName, x);
  return add_node(value.graph(), GatherAlong(axis_of(GatherAlong::kName, x, axis)),
                  {value, value_of(GatherAlong::kName, index)}, x.where);
}

Value scatter_along(Operand updates, Operand index, int axis, std::int64_t size) {
  const Value value = value_of(ScatterAlong::kName, updates);
  return add_node(value.graph(), ScatterAlong(axis_of(ScatterAlong::kName, updates, axis), size),
                  {value, value_of(ScatterAlong::kName, index)}, updates.where);
}

Value pick(Operand x, Operand index) { return squeeze({gather_along(x, expand_dims(index, -1), -1), x.where}, -1); }

namespace {

const RegisterOpCase case_gather{{
    .name = "gather_along",
    .inputs = {{{f32, {2, 4, 3}}}, {{i32, {2, 5, 3}}, -1, 4}},
    .build = [](Graph&, std::span<const Value> in) -> std::vector<Value> { return {gather_along(in[0], in[1], 1)}; },
    .reference =
        [](std::span<const std::vector<double>> in) {
          std::vector<double> out(30);
          for (std::size_t i = 0; i < 30; ++i) {
            const std::size_t row = i / 15;
            const auto position = static_cast<std::size_t>(std::max(0.0, in[1][i]));
            out[i] = in[1][i] < 0 ? 0.0 : in[0][row * 12 + position * 3 + i % 3];
          }
          return FlatArrays{out};
        },
    .bench_inputs = {{{f32, {32, 100, 512}}},
                     {.type = {i32, {32, 50, 512}}, .low = -1, .high = 100, .index_of = CaseAxis{0, 1}}},
}};
/// Long enough for vectors.
const RegisterOpCase case_wide{{
    .name = "gather_along/wide",
    .inputs = {{{f32, {2, 3, 37}}}, {{i32, {2, 4, 37}}, -1, 3}},
    .build = [](Graph&, std::span<const Value> in) -> std::vector<Value> { return {gather_along(in[0], in[1], 1)}; },
    .reference =
        [](std::span<const std::vector<double>> in) {
          std::vector<double> out(2 * 4 * 37, 0.0);
          for (std::size_t i = 0; i < out.size(); ++i)
            if (in[1][i] >= 0) out[i] = in[0][(i / (4 * 37) * 3 + static_cast<std::size_t>(in[1][i])) * 37 + i % 37];
          return FlatArrays{out};
        },
}};
/// Whole numbers, as the steps that a search came from.
const RegisterOpCase case_integers{{
    .name = "gather_along/i32",
    .inputs = {{{i32, {3, 5}}, -9, 9}, {{i32, {3, 40}}, -1, 5}},
    .build = [](Graph&, std::span<const Value> in) -> std::vector<Value> { return {gather_along(in[0], in[1], -1)}; },
    .reference =
        [](std::span<const std::vector<double>> in) {
          std::vector<double> out(120);
          for (std::size_t i = 0; i < 120; ++i)
            out[i] = in[1][i] < 0 ? 0.0 : in[0][i / 40 * 5 + static_cast<std::size_t>(in[1][i])];
          return FlatArrays{out};
        },
}};
const RegisterOpCase case_booleans{{
    .name = "gather_along/boolean",
    .inputs = {{.type = {boolean, {4, 6}}}, {{i32, {4, 6}}, -1, 4}},
    .build = [](Graph&, std::span<const Value> in) -> std::vector<Value> { return {gather_along(in[0], in[1], 0)}; },
    .reference =
        [](std::span<const std::vector<double>> in) {
          std::vector<double> out(24);
          for (std::size_t i = 0; i < 24; ++i)
            out[i] = in[1][i] < 0 ? 0.0 : in[0][static_cast<std::size_t>(in[1][i]) * 6 + i % 6];
          return FlatArrays{out};
        },
}};
const RegisterOpCase case_pick{{
    .name = "gather_along/pick",
    .inputs = {{{f32, {3, 4}}}, {{i32, {3}}, 0, 4}},
    .build = [](Graph&, std::span<const Value> in) -> std::vector<Value> { return {pick(in[0], in[1])}; },
    .reference =
        [](std::span<const std::vector<double>> in) {
          std::vector<double> out;
          for (std::size_t row = 0; row < 3; ++row)
            out.push_back(in[0][row * 4 + static_cast<std::size_t>(in[1][row])]);
          return FlatArrays{out};
        },
    .bench_inputs = {{{f32, {3200, 10000}}},
                     {.type = {i32, {3200}}, .low = 0, .high = 10000, .index_of = CaseAxis{0, 1}}},
}};
const RegisterOpCase case_scatter{{
    .name = "scatter_along",
    // The third input only says how many positions there are.
    .inputs = {{{f32, {3, 5}}}, {{i32, {3, 5}}, -1, 4}, {.type = {f32, {4}}, .differentiable = false}},
    .build = [](Graph&, std::span<const Value> in) -> std::vector<Value> {
      return {scatter_along(in[0], in[1], -1, in[2].dim(0))};
    },
    .reference =
        [](std::span<const std::vector<double>> in) {
          std::vector<double> out(12, 0.0);
          for (std::size_t i = 0; i < 15; ++i)
            if (in[1][i] >= 0) out[i / 5 * 4 + static_cast<std::size_t>(in[1][i])] += in[0][i];
          return FlatArrays{out};
        },
    .bench_inputs = {{{f32, {3200, 256}}},
                     {.type = {i32, {3200, 256}}, .low = -1, .high = 1000, .index_of = CaseAxis{2, 0}},
                     {.type = {f32, {1000}}, .differentiable = false}},
}};

}  // namespace
}  // namespace eddy
