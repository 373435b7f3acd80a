// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/stop_gradient.h"

#include "eddy/graph/graph.h"
#include "eddy/ops/elementwise.h"
#include "eddy/ops/op_case.h"

namespace eddy {
namespace {

struct StopGradient final : OpClass<StopGradient> {
  static constexpr std::string_view kName = "stop_gradient";

  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override { return {inputs[0]}; }
  std::vector<Gradient> gradient(const GradientContext&) const override { return {Gradient()}; }
  std::vector<std::vector<bool>> gradient_paths() const override { return {{false}}; }
  Cost cost(std::span<const TensorType>, std::span<const TensorType>) const override { return {}; }
  std::vector<Alias> aliases(std::span<const TensorType>, std::span<const TensorType>) const override {
    return {{.output = 0, .input = 0, .kind = Alias::Kind::view}};
  }
  // By the time a graph is simplified its gradients have been taken.
  std::vector<Value> simplify(std::span<const Value> inputs) const override { return {inputs[0]}; }
  Kernel make_kernel(const KernelContext&) const override { return {}; }
};

}  // namespace

Value stop_gradient(Operand x) {
  const Value value = value_of(StopGradient::kName, x);
  return add_node(value.graph(), StopGradient{}, {value}, x.where);
}

namespace {

const RegisterOpCase case_stop_gradient{{
    .name = "stop_gradient",
    .inputs = {{.type = {f32, {3, 5}}, .differentiable = false}},
    .build = [](Graph&, std::span<const Value> in) -> std::vector<Value> { return {stop_gradient(in[0])}; },
    .reference = [](std::span<const std::vector<double>> in) { return FlatArrays{in[0]}; },
    .bench_inputs = {{.type = {f32, {3200, 512}}, .differentiable = false}},
}};

}  // namespace
}  // namespace eddy
