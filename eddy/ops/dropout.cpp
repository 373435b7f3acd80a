// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/dropout.h"

#include <algorithm>

#include "eddy/core/math.h"
#include "eddy/core/threads.h"
#include "eddy/graph/graph.h"
#include "eddy/ops/argument.h"
#include "eddy/ops/op_case.h"
#include "eddy/ops/random_bits.h"
#include "eddy/ops/random_op.h"

namespace eddy {
namespace {

/// x and mask with neighbouring axes joined where the mask treats them alike.
struct MaskLayout {
  std::vector<std::int64_t> sizes;
  std::vector<std::int64_t> mask_strides;  // 0 where the mask has size 1
  std::int64_t mask_elements = 1;

  MaskLayout(const Shape& x, const std::vector<int>& broadcast_axes) {
    std::vector<bool> shared;
    for (int axis = 0; axis < x.rank(); ++axis) {
      if (x[axis] == 1) continue;
      const bool is_shared = std::ranges::find(broadcast_axes, axis) != broadcast_axes.end();
      if (!is_shared) mask_elements *= x[axis];
      if (!shared.empty() && shared.back() == is_shared) {
        sizes.back() *= x[axis];
      } else {
        shared.push_back(is_shared);
        sizes.push_back(x[axis]);
      }
    }
    if (sizes.empty()) {
      sizes.push_back(1);
      shared.push_back(false);
    }
    mask_strides.assign(sizes.size(), 0);
    std::int64_t stride = 1;
    for (std::size_t axis = sizes.size(); axis-- > 0;) {
      if (shared[axis]) continue;
      mask_strides[axis] = stride;
      stride *= sizes[axis];
    }
  }
  bool whole() const { return sizes.size() == 1 && mask_strides[0] == 1; }
  /// First mask element of row `row`: an index over all axes but the last.
  std::int64_t mask_offset(std::int64_t row) const {
    std::int64_t offset = 0;
    for (std::size_t axis = sizes.size() - 1; axis-- > 0; row /= sizes[axis])
      offset += row % sizes[axis] * mask_strides[axis];
    return offset;
  }
};

struct Dropout final : OpClass<Dropout>, RandomOp {
  static constexpr std::string_view kName = "dropout";
  float rate;
  std::vector<int> broadcast_axes;

  Dropout(std::uint32_t s, float r, std::vector<int> axes) : RandomOp{s}, rate(r), broadcast_axes(std::move(axes)) {}
  static void attributes(auto& op, auto&& visit) {
    visit("rate", op.rate);
    visit("broadcast_axes", op.broadcast_axes);
    visit("stream", op.stream);
  }
  // inputs: x, key
  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override {
    require<GraphError>(inputs[0].dtype == f32, "x must be f32, it is {}", inputs[0]);
    require_key(inputs[1]);
    require<GraphError>(rate >= 0 && rate < 1, "the rate must be at least 0 and below 1, it is {}", rate);
    require<GraphError>(MaskLayout(inputs[0].shape, broadcast_axes).mask_elements <= kRandomNumbers,
                        "{} needs too many random numbers", inputs[0]);
    return {inputs[0]};
  }
  std::vector<Gradient> gradient(const GradientContext& context) const override {
    const Value d = context.d_out(0);
    return {add_node(d.graph(), Dropout(*this), {d, context.in(1)}, SourceLocation::current()), {}};
  }
  std::vector<Alias> aliases(std::span<const TensorType>, std::span<const TensorType>) const override {
    return {{.output = 0, .input = 0, .kind = Alias::Kind::share}};
  }
  std::vector<Value> simplify(std::span<const Value> inputs) const override {
    if (rate == 0) return {inputs[0]};
    return {};
  }
  Kernel make_kernel(const KernelContext& context) const override {
    const MaskLayout layout(context.inputs[0].shape, broadcast_axes);
    return layout.whole() ? whole_kernel(layout.sizes[0]) : broadcast_kernel(layout);
  }

 private:
  Kernel whole_kernel(std::int64_t elements) const {
    return {.run = [elements, rate = DropoutRate(rate), stream = stream](const KernelArgs& args) {
      const RandomSource source = RandomSource::from_key(args.in<std::int32_t>(1), stream);
      const float* x = args.in<float>(0);
      float* out = args.out<float>(0);
      parallel_for(elements, kElementwiseGrain, [&](std::int64_t begin, std::int64_t end) {
        random_drop(source, begin, rate, x + begin, out + begin, end - begin);
      });
    }};
  }

  Kernel broadcast_kernel(const MaskLayout& layout) const {
    const std::int64_t width = layout.sizes.back();
    std::int64_t rows = 1;
    for (std::size_t axis = 0; axis + 1 < layout.sizes.size(); ++axis) rows *= layout.sizes[axis];
    return {.run =
                [layout, rows, width, rate = DropoutRate(rate), stream = stream](const KernelArgs& args) {
                  const RandomSource source = RandomSource::from_key(args.in<std::int32_t>(1), stream);
                  const float* x = args.in<float>(0);
                  float* out = args.out<float>(0);
                  auto* mask = static_cast<float*>(args.scratch);
                  parallel_for(layout.mask_elements, kElementwiseGrain, [&](std::int64_t begin, std::int64_t end) {
                    random_multipliers(source, begin, rate, mask + begin, end - begin);
                  });
                  const bool shared_row = layout.mask_strides.back() == 0;
                  parallel_for(rows, grain_of(width), [&](std::int64_t begin, std::int64_t end) {
                    for (std::int64_t row = begin; row < end; ++row) {
                      const float* row_mask = mask + layout.mask_offset(row);
                      if (shared_row) {
                        vector_scale(*row_mask, x + row * width, out + row * width, width);
                      } else {
                        vector_mul(x + row * width, row_mask, out + row * width, width);
                      }
                    }
                  });
                },
            .scratch_bytes = static_cast<std::size_t>(layout.mask_elements) * sizeof(float)};
  }
};

}  // namespace

Value dropout(Operand x, float rate, Operand key, const DropoutOptions& options) {
  const Value value = value_of(Dropout::kName, x);
  std::vector<int> axes;
  for (const int axis : options.broadcast_axes) axes.push_back(axis_of(Dropout::kName, x, axis));
  std::ranges::sort(axes);
  const Value by = value_of(Dropout::kName, key);
  return add_node(value.graph(), Dropout(next_stream({value, by}), rate, std::move(axes)), {value, by}, x.where);
}

namespace {

/// The multiplier of mask element `i` of stream 0.
double multiplier(const std::vector<double>& key, std::size_t i, double rate) {
  const auto word = [&key](std::size_t k) { return static_cast<std::uint32_t>(static_cast<std::int32_t>(key[k])); };
  const auto block = philox4x32({static_cast<std::uint32_t>(i / 4), 0, word(2), word(3)}, {word(0), word(1)});
  return block[i % 4] < rate * 0x1p32 ? 0 : 1 / (1 - rate);
}

OpCase dropout_case(std::string name, std::vector<int> axes, std::size_t (*mask_index)(std::size_t element),
                    const Shape& bench) {
  return {
      .name = std::move(name),
      .inputs = {{{f32, {5, 4, 3}}}, {.type = {i32, {4}}, .values = {-5, 9, 7, 0}}},
      .build = [axes](Graph&, std::span<const Value> in) -> std::vector<Value> {
        return {dropout(in[0], 0.375F, in[1], {.broadcast_axes = axes})};
      },
      .reference =
          [mask_index](std::span<const std::vector<double>> in) {
            std::vector<double> out(60);
            for (std::size_t i = 0; i < 60; ++i) out[i] = in[0][i] * multiplier(in[1], mask_index(i), 0.375);
            return FlatArrays{out};
          },
      .bench_inputs = {{{f32, bench}}, {{i32, {4}}, 0, 100}},
  };
}

const RegisterOpCase case_dropout{dropout_case("dropout", {}, [](std::size_t i) { return i; }, {100, 32, 512})};
const RegisterOpCase case_words{
    dropout_case("dropout/words", {2}, [](std::size_t i) { return i / 3; }, {100, 32, 512})};
const RegisterOpCase case_features{
    dropout_case("dropout/features", {0}, [](std::size_t i) { return i % 12; }, {100, 32, 512})};
const RegisterOpCase case_batch{
    dropout_case("dropout/batch", {-2}, [](std::size_t i) { return i / 12 * 3 + i % 3; }, {100, 32, 512})};
const RegisterOpCase case_all{
    dropout_case("dropout/all", {0, 1, 2}, [](std::size_t) { return std::size_t{0}; }, {100, 32, 512})};

}  // namespace
}  // namespace eddy
