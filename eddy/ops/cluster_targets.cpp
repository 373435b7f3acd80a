// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/cluster_targets.h"

#include <algorithm>

#include "eddy/graph/graph.h"
#include "eddy/ops/argument.h"
#include "eddy/ops/elementwise.h"
#include "eddy/ops/op_case.h"

namespace eddy {
namespace {

struct ClusterTargets final : OpClass<ClusterTargets> {
  static constexpr std::string_view kName = "cluster_targets";
  std::vector<std::int64_t> cutoffs;

  explicit ClusterTargets(std::vector<std::int64_t> c) : cutoffs(std::move(c)) {}
  static void attributes(auto& op, auto&& visit) { visit("cutoffs", op.cutoffs); }

  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override {
    require<GraphError>(inputs[0].dtype == i32, "targets must be i32, they are {}", inputs[0]);
    require<GraphError>(!cutoffs.empty() && cutoffs[0] > 0 &&
                            std::ranges::adjacent_find(cutoffs, std::greater_equal()) == cutoffs.end(),
                        "cutoffs must be positive and rise, they are {}", fmt::join(cutoffs, ", "));
    return std::vector<TensorType>(cutoffs.size(), inputs[0]);
  }
  std::vector<Gradient> gradient(const GradientContext&) const override { return {Gradient()}; }
  Kernel make_kernel(const KernelContext& context) const override {
    return {.run = [cuts = cutoffs, count = context.inputs[0].shape.elements()](const KernelArgs& args) {
      const auto* targets = args.in<std::int32_t>(0);
      for (std::int64_t i = 0; i < count; ++i) {
        const std::int32_t target = targets[i];
        require<GraphError>(target < cuts.back(), "target {} at position {} is out of range for {} classes", target, i,
                            cuts.back());
        // The number of cutoffs at or below the target is its stretch.
        const auto stretch = std::upper_bound(cuts.begin(), cuts.end(), target) - cuts.begin();
        for (std::size_t output = 0; output < cuts.size(); ++output) {
          auto* out = args.out<std::int32_t>(static_cast<int>(output));
          if (out == nullptr) continue;
          const bool inside = target >= 0 && static_cast<std::ptrdiff_t>(output) == stretch;
          if (output == 0) {
            out[i] = target < 0 ? -1 : stretch == 0 ? target : static_cast<std::int32_t>(cuts[0] + stretch - 1);
          } else {
            out[i] = inside ? static_cast<std::int32_t>(target - cuts[output - 1]) : -1;
          }
        }
      }
    }};
  }
};

}  // namespace

std::vector<Value> cluster_targets(Operand targets, const std::vector<std::int64_t>& cutoffs) {
  const Value value = value_of(ClusterTargets::kName, targets);
  return Graph::outputs(add_node(value.graph(), ClusterTargets(cutoffs), {value}, targets.where));
}

namespace {

const RegisterOpCase case_clusters{{
    .name = "cluster_targets",
    .inputs = {{.type = {i32, {2, 4}}, .values = {0, 2, 3, 4, -1, 5, 9, 8}}},
    .build = [](Graph&, std::span<const Value> in) -> std::vector<Value> {
      return cluster_targets(in[0], {3, 5, 10});
    },
    .reference =
        [](std::span<const std::vector<double>>) {
          return FlatArrays{{0, 2, 3, 3, -1, 4, 4, 4}, {-1, -1, 0, 1, -1, -1, -1, -1}, {-1, -1, -1, -1, -1, 0, 4, 3}};
        },
    .bench_inputs = {{{i32, {100, 32}}, -1, 10}},
}};

}  // namespace
}  // namespace eddy
