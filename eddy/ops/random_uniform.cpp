// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/random_uniform.h"

#include <cmath>

#include "eddy/core/threads.h"
#include "eddy/graph/graph.h"
#include "eddy/ops/elementwise.h"
#include "eddy/ops/op_case.h"
#include "eddy/ops/random_bits.h"
#include "eddy/ops/random_op.h"

namespace eddy {
namespace {

struct RandomUniform final : OpClass<RandomUniform>, RandomOp {
  static constexpr std::string_view kName = "random_uniform";
  Shape shape;
  float low, high;

  RandomUniform(std::uint32_t s, const Shape& size, float l, float h) : RandomOp{s}, shape(size), low(l), high(h) {}
  static void attributes(auto& op, auto&& visit) {
    visit("stream", op.stream);
    visit("shape", op.shape);
    visit("low", op.low);
    visit("high", op.high);
  }
  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override {
    require_key(inputs[0]);
    require<GraphError>(shape.elements() <= kRandomNumbers, "{} are too many random numbers", shape.elements());
    require<GraphError>(low <= high, "the range {} to {} is empty", low, high);
    require<GraphError>(std::isfinite(high - low), "the range {} to {} is wider than f32 holds", low, high);
    return {{f32, shape}};
  }
  std::vector<Gradient> gradient(const GradientContext&) const override { return {Gradient()}; }
  Kernel make_kernel(const KernelContext&) const override {
    return {.run = [elements = shape.elements(), low = low, high = high, stream = stream](const KernelArgs& args) {
      const RandomSource source = RandomSource::from_key(args.in<std::int32_t>(0), stream);
      float* out = args.out<float>(0);
      parallel_for(elements, kElementwiseGrain, [&](std::int64_t begin, std::int64_t end) {
        random_floats(source, begin, low, high, out + begin, end - begin);
      });
    }};
  }
};

}  // namespace

Value random_uniform(Operand key, const Shape& shape, float low, float high) {
  const Value value = value_of(RandomUniform::kName, key);
  return add_node(value.graph(), RandomUniform(next_stream({value}), shape, low, high), {value}, key.where);
}

namespace {

const RegisterOpCase case_random_uniform{{
    .name = "random_uniform",
    // The second input only says which shape.
    .inputs = {{.type = {i32, {4}}, .values = {11, 22, 3, 0}}, {.type = {f32, {3, 7}}, .differentiable = false}},
    .build = [](Graph&, std::span<const Value> in) -> std::vector<Value> {
      return {random_uniform(in[0], in[1].shape()), random_uniform(in[0], {5}, -1, 1)};
    },
    .reference =
        [](std::span<const std::vector<double>> in) {
          FlatArrays out{std::vector<double>(21), std::vector<double>(5)};
          for (std::uint32_t stream = 0; stream < 2; ++stream)
            for (std::size_t i = 0; i < out[stream].size(); ++i) {
              const auto word = [&in](std::size_t k) { return static_cast<std::uint32_t>(in[0][k]); };
              const auto block =
                  philox4x32({static_cast<std::uint32_t>(i / 4), stream, word(2), word(3)}, {word(0), word(1)});
              const double unit = unit_float(block[i % 4]);
              out[stream][i] = stream == 0 ? unit : unit * 2 - 1;
            }
          return out;
        },
    .bench_inputs = {{.type = {i32, {4}}, .values = {11, 22, 3, 0}},
                     {.type = {f32, {3200, 512}}, .differentiable = false}},
}};

}  // namespace
}  // namespace eddy
