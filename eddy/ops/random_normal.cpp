// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/random_normal.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "eddy/core/threads.h"
#include "eddy/graph/graph.h"
#include "eddy/ops/elementwise.h"
#include "eddy/ops/op_case.h"
#include "eddy/ops/random_bits.h"
#include "eddy/ops/random_op.h"

namespace eddy {
namespace {

/// Box & Muller 1958: two normal numbers from two uniform ones in [0, 1).
template <class T>
std::array<T, 2> normal_pair(T first, T second) {
  const T radius = std::sqrt(T{-2} * std::log(T{1} - first));
  const T angle = 2 * std::numbers::pi_v<T> * second;
  return {radius * std::cos(angle), radius * std::sin(angle)};
}

/// Normal numbers `first` … first + n - 1 of a source; each even number and its successor are a pair.
void normal_floats(const RandomSource& source, std::int64_t first, float* out, std::int64_t n) {
  constexpr std::int64_t kChunk = 256;
  std::array<float, kChunk> uniform;
  for (std::int64_t begin = first - first % 2; begin < first + n; begin += kChunk) {
    random_floats(source, begin, 0, 1, uniform.data(), kChunk);
    const std::int64_t end = std::min(begin + kChunk, first + n);
    for (std::int64_t at = begin; at < end; at += 2) {
      const auto i = static_cast<std::size_t>(at - begin);
      const std::array<float, 2> pair = normal_pair(uniform[i], uniform[i + 1]);
      if (at >= first) out[at - first] = pair[0];
      if (at + 1 < end) out[at + 1 - first] = pair[1];
    }
  }
}

struct RandomNormal final : OpClass<RandomNormal>, RandomOp {
  static constexpr std::string_view kName = "random_normal";
  Shape shape;

  RandomNormal(std::uint32_t s, const Shape& size) : RandomOp{s}, shape(size) {}
  static void attributes(auto& op, auto&& visit) {
    visit("stream", op.stream);
    visit("shape", op.shape);
  }
  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override {
    require_key(inputs[0]);
    require<GraphError>(shape.elements() <= kRandomNumbers / 2, "{} are too many random numbers", shape.elements());
    return {{f32, shape}};
  }
  std::vector<Gradient> gradient(const GradientContext&) const override { return {Gradient()}; }
  Kernel make_kernel(const KernelContext&) const override {
    return {.run = [elements = shape.elements(), stream = stream](const KernelArgs& args) {
      const RandomSource source = RandomSource::from_key(args.in<std::int32_t>(0), stream);
      float* out = args.out<float>(0);
      parallel_for(elements, kElementwiseGrain, [&](std::int64_t begin, std::int64_t end) {
        normal_floats(source, begin, out + begin, end - begin);
      });
    }};
  }
};

}  // namespace

Value random_normal(Operand key, const Shape& shape) {
  const Value value = value_of(RandomNormal::kName, key);
  return add_node(value.graph(), RandomNormal(next_stream({value}), shape), {value}, key.where);
}

namespace {

const RegisterOpCase case_random_normal{{
    .name = "random_normal",
    // The second input only says which shape.
    .inputs = {{.type = {i32, {4}}, .values = {11, 22, 3, 0}}, {.type = {f32, {3, 111}}, .differentiable = false}},
    .build = [](Graph&, std::span<const Value> in) -> std::vector<Value> {
      return {random_normal(in[0], in[1].shape()), random_normal(in[0], {5})};
    },
    .reference =
        [](std::span<const std::vector<double>> in) {
          FlatArrays out{std::vector<double>(333), std::vector<double>(5)};
          const auto word = [&in](std::size_t k) { return static_cast<std::uint32_t>(in[0][k]); };
          for (std::uint32_t stream = 0; stream < 2; ++stream) {
            const auto uniform = [&](std::size_t i) {
              return static_cast<double>(unit_float(philox4x32(
                  {static_cast<std::uint32_t>(i / 4), stream, word(2), word(3)}, {word(0), word(1)})[i % 4]));
            };
            for (std::size_t i = 0; i < out[stream].size(); ++i)
              out[stream][i] = normal_pair(uniform(i - i % 2), uniform(i - i % 2 + 1))[i % 2];
          }
          return out;
        },
    .bench_inputs = {{.type = {i32, {4}}, .values = {11, 22, 3, 0}},
                     {.type = {f32, {3200, 512}}, .differentiable = false}},
}};

}  // namespace
}  // namespace eddy
