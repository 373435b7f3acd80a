// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/binary.h"

#include "eddy/graph/builtin.h"
#include "eddy/ops/broadcast_loop.h"
#include "eddy/ops/sum.h"

namespace eddy {

template <class In, class Out>
Kernel broadcast_kernel(const KernelContext& context, const BinarySpans<In, Out>& spans) {
  const std::array<Shape, 2> shapes{context.inputs[0].shape, context.inputs[1].shape};
  const BroadcastLoop loop(context.outputs[0].shape, shapes);
  return {.run = [loop, spans, left_moves = loop.moves(0), right_moves = loop.moves(1)](const KernelArgs& args) {
    const In* a = args.in<In>(0);
    const In* b = args.in<In>(1);
    Out* out = args.out<Out>(0);
    loop.run([&](std::int64_t at, const BroadcastLoop::Offsets& from, std::int64_t count) {
      if (left_moves && right_moves) {
        spans.both(a + from[0], b + from[1], out + at, count);
      } else if (left_moves) {
        spans.right_number(a + from[0], b[from[1]], out + at, count);
      } else {
        spans.left_number(a[from[0]], b + from[1], out + at, count);
      }
    });
  }};
}

template Kernel broadcast_kernel(const KernelContext&, const BinarySpans<float, float>&);
template Kernel broadcast_kernel(const KernelContext&, const BinarySpans<std::int32_t, std::int32_t>&);
template Kernel broadcast_kernel(const KernelContext&, const BinarySpans<float, bool>&);
template Kernel broadcast_kernel(const KernelContext&, const BinarySpans<std::int32_t, bool>&);
template Kernel broadcast_kernel(const KernelContext&, const BinarySpans<bool, bool>&);

Shape broadcast_shape(std::span<const TensorType> inputs) {
  require<GraphError>(inputs[0].dtype == inputs[1].dtype, "dtypes differ: a is {}, b is {}", inputs[0], inputs[1]);
  return broadcast(inputs[0].shape, inputs[1].shape);
}

bool is_neutral(const Value& value, float number, const Value& other) {
  return is_constant(value, number) && broadcasts_to(value.shape(), other.shape());
}

std::vector<Gradient> summed_to_inputs(const GradientContext& context, const std::pair<Value, Value>& derivatives) {
  std::vector<Gradient> result(2);
  if (context.needs(0) && derivatives.first) result[0] = sum_to(derivatives.first, context.in(0).shape());
  if (context.needs(1) && derivatives.second) result[1] = sum_to(derivatives.second, context.in(1).shape());
  return result;
}

namespace {

/// Element of an input of `shape` that belongs to `element` of an output of `whole`.
std::size_t broadcast_index(std::int64_t element, const Shape& whole, const Shape& shape) {
  std::int64_t index = 0;
  std::int64_t step = 1;
  for (int axis = 1; axis <= whole.rank(); ++axis) {
    const std::int64_t at = element % whole[whole.rank() - axis];
    element /= whole[whole.rank() - axis];
    if (axis > shape.rank()) continue;
    const std::int64_t size = shape[shape.rank() - axis];
    index += (size == 1 ? 0 : at) * step;
    step *= size;
  }
  return static_cast<std::size_t>(index);
}

}  // namespace

RegisterBinaryCases::RegisterBinaryCases(const std::string& name, Value (*build)(Operand, Operand),
                                         double (*reference)(double, double), float low, float high) {
  struct Shapes {
    const char* label;
    Shape a;
    Shape b;
    Shape bench_a;
    Shape bench_b;
  };
  const std::array<Shapes, 6> all{{{"same", {3, 17}, {3, 17}, {3200, 512}, {3200, 512}},
                                   {"row", {5, 19}, {19}, {3200, 2048}, {2048}},
                                   {"column", {5, 19}, {5, 1}, {3200, 512}, {3200, 1}},
                                   {"number_left", {}, {4, 7}, {}, {3200, 512}},
                                   {"number_right", {4, 7}, {1}, {3200, 512}, {1}},
                                   {"general", {2, 1, 4, 3}, {5, 1, 3}, {}, {}}}};
  for (const Shapes& shapes : all) {
    OpCase op_case{
        .name = name + "/" + shapes.label,
        .inputs = {{{f32, shapes.a}, low, high}, {{f32, shapes.b}, low, high}},
        .build = [build](Graph&, std::span<const Value> inputs) -> std::vector<Value> {
          return {build(inputs[0], inputs[1])};
        },
        .reference =
            [reference, a = shapes.a, b = shapes.b](std::span<const std::vector<double>> inputs) {
              const Shape whole = broadcast(a, b);
              std::vector<double> result;
              for (std::int64_t i = 0; i < whole.elements(); ++i)
                result.push_back(
                    reference(inputs[0][broadcast_index(i, whole, a)], inputs[1][broadcast_index(i, whole, b)]));
              return FlatArrays{std::move(result)};
            },
    };
    if (shapes.bench_b.rank() > 0)
      op_case.bench_inputs = {{{f32, shapes.bench_a}, low, high}, {{f32, shapes.bench_b}, low, high}};
    const RegisterOpCase registration(std::move(op_case));
  }
}

}  // namespace eddy
