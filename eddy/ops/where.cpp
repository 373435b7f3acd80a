// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/where.h"

#include "eddy/core/element_type.h"
#include "eddy/core/select.h"
#include "eddy/ops/broadcast_loop.h"
#include "eddy/ops/elementwise.h"
#include "eddy/ops/op_case.h"
#include "eddy/ops/sum.h"

namespace eddy {
namespace {

/// Bytes; inputs that stand still along a run have a step of 0.
void select(const bool* condition, const bool* a, std::int64_t step_a, const bool* b, std::int64_t step_b, bool* out,
            std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) out[i] = condition[i] ? a[i * step_a] : b[i * step_b];
}

/// Words of either type are moved bit for bit.
template <class T>
void select(const bool* condition, const T* a, std::int64_t step_a, const T* b, std::int64_t step_b, T* out,
            std::int64_t n) {
  static_assert(sizeof(T) == sizeof(float));
  vector_select(condition, reinterpret_cast<const float*>(a), step_a, reinterpret_cast<const float*>(b), step_b,
                reinterpret_cast<float*>(out), n);
}

template <class T>
Kernel where_kernel(const KernelContext& context) {
  const std::array<Shape, 3> shapes{context.inputs[0].shape, context.inputs[1].shape, context.inputs[2].shape};
  const BroadcastLoop loop(context.outputs[0].shape, shapes);
  const bool condition_moves = loop.moves(0);
  const std::array<std::int64_t, 2> steps{loop.moves(1) ? 1 : 0, loop.moves(2) ? 1 : 0};
  return {.run = [=](const KernelArgs& args) {
    const bool* condition = args.in<bool>(0);
    T* out = args.out<T>(0);
    loop.run([&](std::int64_t at, const BroadcastLoop::Offsets& from, std::int64_t count) {
      const T* a = args.in<T>(1) + from[1];
      const T* b = args.in<T>(2) + from[2];
      if (condition_moves) {
        select(condition + from[0], a, steps[0], b, steps[1], out + at, count);
        return;
      }
      const T* chosen = condition[from[0]] ? a : b;
      const std::int64_t step = condition[from[0]] ? steps[0] : steps[1];
      for (std::int64_t i = 0; i < count; ++i) out[at + i] = chosen[i * step];
    });
  }};
}

struct Where final : OpClass<Where> {
  static constexpr std::string_view kName = "where";

  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override {
    require<GraphError>(inputs[0].dtype == boolean,
                        "the condition must be bool, it is {}; expected a comparison, such as not_equal(x, 0)",
                        inputs[0]);
    require<GraphError>(inputs[1].dtype == inputs[2].dtype, "dtypes differ: a is {}, b is {}", inputs[1], inputs[2]);
    return {{inputs[1].dtype, broadcast(inputs[0].shape, broadcast(inputs[1].shape, inputs[2].shape))}};
  }
  std::vector<Gradient> gradient(const GradientContext& context) const override {
    std::vector<Gradient> result(3);
    const Value d = context.d_out(0);
    if (context.needs(1)) result[1] = sum_to(where(context.in(0), d, 0), context.in(1).shape());
    if (context.needs(2)) result[2] = sum_to(where(context.in(0), 0, d), context.in(2).shape());
    return result;
  }
  std::vector<Alias> aliases(std::span<const TensorType> inputs, std::span<const TensorType> outputs) const override {
    return share_equal_sizes(inputs, outputs);
  }
  std::vector<Value> over_time(const TimeContext& context) const override {
    return elementwise_over_time(*this, context);
  }
  TileFunction tile(std::span<const TensorType> inputs) const override {
    if (inputs[1].dtype != f32) return nullptr;
    return [](const void* const* in, void* out, std::int64_t n) {
      vector_select(static_cast<const bool*>(in[0]), static_cast<const float*>(in[1]), 1,
                    static_cast<const float*>(in[2]), 1, static_cast<float*>(out), n);
    };
  }
  Kernel make_kernel(const KernelContext& context) const override {
    return with_element_type(context.outputs[0].dtype,
                             [&](auto zero) { return where_kernel<decltype(zero)>(context); });
  }
};

}  // namespace

Value where(Operand condition, Operand a, Operand b) {
  const Value chooser = value_of(Where::kName, condition);
  if (a.scalar && b.scalar) a = Operand(chooser.graph().constant(static_cast<float>(*a.scalar), a.where), a.where);
  const auto [left, right] = values_of(Where::kName, a, b);
  return add_node(chooser.graph(), Where{}, {chooser, left, right}, condition.where);
}

namespace {

OpCase where_case(const std::string& label, Shape condition, Shape a, Shape b, DType dtype = f32) {
  const Shape whole = broadcast(condition, broadcast(a, b));
  const std::int64_t columns = whole[1];
  const auto index = [columns](std::int64_t element, const Shape& shape) -> std::size_t {
    const std::int64_t row = shape.rank() > 1 && shape[0] > 1 ? element / columns : 0;
    const bool moves = shape.rank() > 0 && shape[shape.rank() - 1] > 1;
    return static_cast<std::size_t>(moves ? row * columns + element % columns : row);
  };
  return {
      .name = "where/" + label,
      .inputs = {{.type = {boolean, condition}}, {{dtype, a}, -9, 9}, {{dtype, b}, -9, 9}},
      .build = [](Graph&, std::span<const Value> x) -> std::vector<Value> { return {where(x[0], x[1], x[2])}; },
      .reference =
          [=](std::span<const std::vector<double>> x) {
            FlatArrays result(1);
            for (std::int64_t i = 0; i < whole.elements(); ++i)
              result[0].push_back(x[0][index(i, condition)] != 0 ? x[1][index(i, a)] : x[2][index(i, b)]);
            return result;
          },
      .bench_inputs = {{.type = {boolean, {3200, 512}}},
                       {.type = {dtype, {3200, 512}}},
                       {.type = {dtype, {3200, 512}}}},
  };
}

const RegisterOpCase case_same{where_case("same", {3, 7}, {3, 7}, {3, 7})};
const RegisterOpCase case_number{where_case("number", {3, 7}, {3, 7}, {})};
const RegisterOpCase case_number_left{where_case("number_left", {3, 7}, {}, {3, 7})};
const RegisterOpCase case_numbers{where_case("numbers", {3, 7}, {1}, {1})};
const RegisterOpCase case_rows{where_case("rows", {3, 1}, {3, 7}, {7})};
const RegisterOpCase case_integers{where_case("i32", {7}, {3, 1}, {3, 7}, i32)};

}  // namespace
}  // namespace eddy
