// SPDX-License-Identifier: Apache-2.0
#include "eddy/optimizers/gradient_norm.h"

#include <algorithm>
#include <cmath>

#include "eddy/core/math.h"
#include "eddy/core/threads.h"
#include "eddy/graph/graph.h"
#include "eddy/graph/user_line.h"

namespace eddy {
namespace {

struct Block {
  int input;
  std::int64_t begin;
  std::int64_t count;
};

struct GradientNormOp final : OpClass<GradientNormOp> {
  static constexpr std::string_view kName = "gradient_norm";
  static constexpr std::int64_t kBlock = 16384;
  std::vector<std::int32_t> counts;
  double max_norm;
  bool watch;

  GradientNormOp(std::vector<std::int32_t> c, double m, bool w) : counts(std::move(c)), max_norm(m), watch(w) {}
  static void attributes(auto& op, auto&& visit) {
    visit("counts", op.counts);
    visit("max_norm", op.max_norm);
    visit("watch_non_finite", op.watch);
  }
  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override {
    for (const TensorType& type : inputs)
      require<GraphError>(type.dtype == f32, "a gradient is {}, not f32", to_string(type));
    return {{f32, {}}, {f32, {}}, {boolean, {}}};
  }
  Cost cost(std::span<const TensorType> inputs, std::span<const TensorType>) const override {
    Cost cost;
    for (const TensorType& type : inputs) cost.bytes += static_cast<double>(type.bytes());
    cost.flops = cost.bytes / 2;
    return cost;
  }
  Kernel make_kernel(const KernelContext& context) const override {
    std::vector<Block> blocks;
    for (std::size_t i = 0; i < context.inputs.size(); ++i) {
      const std::int64_t elements = context.inputs[i].shape.elements();
      for (std::int64_t begin = 0; begin < elements; begin += kBlock)
        blocks.push_back({static_cast<int>(i), begin, std::min(kBlock, elements - begin)});
    }
    const auto count = static_cast<std::int64_t>(blocks.size());
    std::int64_t elements = 0;
    for (const Block& block : blocks) elements += block.count;
    // An element costs a load and half an operation: little.
    const std::int64_t grain = 1 + 4 * kElementwiseGrain * count / std::max<std::int64_t>(elements, 1);
    return {.run =
                [blocks, count, grain, counted = counts, limit = max_norm, watch = watch](const KernelArgs& args) {
                  auto* sums = static_cast<double*>(args.scratch);
                  parallel_for(count, grain, [&](std::int64_t begin, std::int64_t end) {
                    for (std::int64_t i = begin; i < end; ++i) {
                      const Block& block = blocks[static_cast<std::size_t>(i)];
                      sums[i] = vector_sum_squares(args.in<float>(block.input) + block.begin, block.count);
                    }
                  });
                  double total = 0;
                  double others = 0;
                  for (std::int64_t i = 0; i < count; ++i) {
                    const int input = blocks[static_cast<std::size_t>(i)].input;
                    (counted[static_cast<std::size_t>(input)] != 0 ? total : others) += sums[i];
                  }
                  const double norm = std::sqrt(total);
                  const bool finite = std::isfinite(static_cast<float>(norm)) && std::isfinite(others);
                  if (args.outputs[0] != nullptr) *args.out<float>(0) = static_cast<float>(norm);
                  // A norm that is NaN scales by NaN, not by one.
                  const double scale = limit > 0 ? limit / (norm + 1e-6) : 1;
                  if (args.outputs[1] != nullptr) *args.out<float>(1) = scale >= 1 ? 1.0F : static_cast<float>(scale);
                  if (args.outputs[2] != nullptr) *args.out<bool>(2) = finite || !watch;
                },
            .scratch_bytes = blocks.size() * sizeof(double)};
  }
};

}  // namespace

GradientNorm gradient_norm(const std::vector<NormedGradient>& gradients, double max_norm, bool watch_non_finite,
                           SourceLocation where) {
  constexpr std::string_view kFunction = "gradient_norm";
  require_at(!gradients.empty(), where, kFunction, "there is no gradient");
  require_at(max_norm >= 0, where, kFunction, "the largest norm must not be negative, it is {}", max_norm);
  std::vector<std::int32_t> counts;
  std::vector<Value> inputs;
  for (const NormedGradient& gradient : gradients) {
    counts.push_back(gradient.counts ? 1 : 0);
    inputs.push_back(gradient.values);
  }
  Graph& graph = inputs[0].graph();
  const std::vector<Value> outputs = graph.outputs(
      add_node(graph, GradientNormOp(std::move(counts), max_norm, watch_non_finite), std::move(inputs), where));
  return {.norm = outputs[0], .scale = outputs[1], .proceed = outputs[2]};
}

}  // namespace eddy
