// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/broadcast_to.h"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "eddy/ops/broadcast_loop.h"
#include "eddy/ops/elementwise.h"
#include "eddy/ops/op_case.h"
#include "eddy/ops/sum.h"

namespace eddy {
namespace {

template <class T>
Kernel repeat_kernel(const Shape& from, const Shape& to) {
  const BroadcastLoop loop(to, std::array<Shape, 1>{from});
  return {.run = [loop, moves = loop.moves(0)](const KernelArgs& args) {
    const T* x = args.in<T>(0);
    T* out = args.out<T>(0);
    loop.run([&](std::int64_t at, const BroadcastLoop::Offsets& offsets, std::int64_t count) {
      if (moves) {
        std::memcpy(out + at, x + offsets[0], static_cast<std::size_t>(count) * sizeof(T));
      } else {
        std::fill_n(out + at, count, x[offsets[0]]);
      }
    });
  }};
}

struct BroadcastTo final : OpClass<BroadcastTo> {
  static constexpr std::string_view kName = "broadcast_to";
  Shape shape;
  std::vector<int> inserted;
  BroadcastTo(const Shape& s, std::vector<int> axes) : shape(s), inserted(std::move(axes)) {}
  static void attributes(auto& op, auto&& visit) {
    visit("shape", op.shape);
    visit("inserted", op.inserted);
  }

  /// x with axes of size 1 where it lacks some.
  Shape padded(const Shape& x) const {
    Shape result = x;
    for (const int axis : inserted) result = result.inserted(axis, 1);
    return result;
  }
  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override {
    const Shape& x = inputs[0].shape;
    const bool fits = x.rank() + static_cast<int>(inserted.size()) == shape.rank() && broadcasts_to(padded(x), shape);
    require<GraphError>(fits, "{} does not broadcast to {}", inputs[0], to_string(shape));
    return {{inputs[0].dtype, shape}};
  }
  std::vector<Value> over_time(const TimeContext& context) const override {
    if (shape.rank() >= Shape::kMaxRank) return {};
    std::vector<int> axes = inserted;
    for (int& axis : axes) ++axis;
    return {add_node(context.in(0).graph(), BroadcastTo(shape.inserted(0, context.time), std::move(axes)),
                     {context.in(0)}, SourceLocation::current())};
  }
  std::vector<Gradient> gradient(const GradientContext& context) const override {
    const Shape from = padded(context.in(0).shape());
    std::vector<int> kept;
    std::vector<int> axes;
    for (int axis = 0; axis < shape.rank(); ++axis) {
      const bool is_inserted = std::ranges::find(inserted, axis) != inserted.end();
      if (is_inserted || from[axis] != shape[axis]) axes.push_back(axis);
      if (!is_inserted && from[axis] != shape[axis]) kept.push_back(axis);
    }
    if (axes.empty()) return {context.d_out(0)};
    return {sum_along(context.d_out(0), axes, kept)};
  }
  Cost cost(std::span<const TensorType> inputs, std::span<const TensorType> outputs) const override {
    return {.flops = 0, .bytes = static_cast<double>(inputs[0].bytes() + outputs[0].bytes())};
  }
  std::vector<Value> simplify(std::span<const Value> inputs) const override {
    if (inputs[0].shape() == shape) return {inputs[0]};
    return {};
  }
  Kernel make_kernel(const KernelContext& context) const override {
    const Shape from = padded(context.inputs[0].shape);
    return context.inputs[0].dtype == boolean ? repeat_kernel<std::uint8_t>(from, shape)
                                              : repeat_kernel<std::uint32_t>(from, shape);
  }
};

}  // namespace

Value broadcast_along(Operand x, const Shape& shape, std::vector<int> inserted) {
  return unary_node(BroadcastTo(shape, std::move(inserted)), x);
}

Value broadcast_to(Operand x, const Shape& shape) {
  std::vector<int> leading(
      static_cast<std::size_t>(std::max(0, shape.rank() - value_of(BroadcastTo::kName, x).rank())));
  std::iota(leading.begin(), leading.end(), 0);
  return broadcast_along(x, shape, std::move(leading));
}

const RegisterOpCase case_broadcast_rows{{
    .name = "broadcast_to/rows",
    .inputs = {{{f32, {5}}}, {.type = {f32, {2, 3, 5}}, .differentiable = false}},
    // The second input only says which shape.
    .build = [](Graph&, std::span<const Value> x) -> std::vector<Value> { return {broadcast_to(x[0], x[1].shape())}; },
    .reference =
        [](std::span<const std::vector<double>> x) {
          FlatArrays result(1);
          for (std::size_t i = 0; i < 30; ++i) result[0].push_back(x[0][i % 5]);
          return result;
        },
    .bench_inputs = {{{f32, {512}}}, {.type = {f32, {3200, 512}}, .differentiable = false}},
}};
const RegisterOpCase case_broadcast_mixed{{
    .name = "broadcast_to/mixed",
    .inputs = {{{f32, {3, 1}}}},
    .build = [](Graph&, std::span<const Value> x) -> std::vector<Value> {
      return {broadcast_to(x[0], {2, 3, 5})};
    },
    .reference =
        [](std::span<const std::vector<double>> x) {
          FlatArrays result(1);
          for (std::size_t i = 0; i < 30; ++i) result[0].push_back(x[0][i / 5 % 3]);
          return result;
        },
}};
const RegisterOpCase case_broadcast_along{{
    .name = "broadcast_to/along",
    .inputs = {{{f32, {2, 5}}}},
    .build = [](Graph&, std::span<const Value> x) -> std::vector<Value> {
      return {broadcast_along(x[0], {2, 3, 5, 4}, {1, 3})};
    },
    .reference =
        [](std::span<const std::vector<double>> x) {
          FlatArrays result(1);
          for (std::size_t i = 0; i < 120; ++i) result[0].push_back(x[0][i / 60 * 5 + i / 4 % 5]);
          return result;
        },
}};

}  // namespace eddy
