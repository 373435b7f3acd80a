// SPDX-License-Identifier: Apache-2.0
#include "tests/support/probe_ops.h"

#include <algorithm>

#include "eddy/core/error.h"
#include "eddy/graph/graph.h"

namespace eddy::test {
namespace {

struct WeightedSum final : OpClass<WeightedSum> {
  static constexpr std::string_view kName = "test_weighted_sum";

  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override {
    require<GraphError>(inputs[0] == inputs[1] && inputs[0].dtype == f32, "x is {}, the weights are {}",
                        to_string(inputs[0]), to_string(inputs[1]));
    return {{f32, {}}};
  }
  std::vector<Gradient> gradient(const GradientContext& context) const override {
    return {scaled(context.in(1), context.d_out(0)), scaled(context.in(0), context.d_out(0))};
  }
  Kernel make_kernel(const KernelContext& context) const override {
    const std::int64_t elements = context.inputs[0].shape.elements();
    return {.run = [elements](const KernelArgs& args) {
      double sum = 0;
      for (std::int64_t i = 0; i < elements; ++i)
        sum += static_cast<double>(args.in<float>(0)[i]) * static_cast<double>(args.in<float>(1)[i]);
      *args.out<float>(0) = static_cast<float>(sum);
    }};
  }
};

struct Scaled final : OpClass<Scaled> {
  static constexpr std::string_view kName = "test_scaled";

  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override { return {inputs[0]}; }
  std::vector<Gradient> gradient(const GradientContext& context) const override {
    return {scaled(context.d_out(0), context.in(1)), weighted_sum(context.d_out(0), context.in(0))};
  }
  std::vector<Alias> aliases(std::span<const TensorType>, std::span<const TensorType>) const override {
    return {{.output = 0, .input = 0, .kind = Alias::Kind::share}};
  }
  Kernel make_kernel(const KernelContext& context) const override {
    const std::int64_t elements = context.inputs[0].shape.elements();
    return {.run = [elements](const KernelArgs& args) {
      const float factor = *args.in<float>(1);
      for (std::int64_t i = 0; i < elements; ++i) args.out<float>(0)[i] = args.in<float>(0)[i] * factor;
    }};
  }
};

struct Opaque final : OpClass<Opaque> {
  static constexpr std::string_view kName = "test_opaque";

  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override { return {inputs[0]}; }
  Kernel make_kernel(const KernelContext& context) const override {
    const std::size_t bytes = context.outputs[0].bytes();
    return {.run = [bytes](const KernelArgs& args) {
      std::copy_n(static_cast<const std::byte*>(args.inputs[0]), bytes, static_cast<std::byte*>(args.outputs[0]));
    }};
  }
};

}  // namespace

Value weighted_sum(Value x, Value weights, SourceLocation where) {
  return add_node(x.graph(), WeightedSum{}, {x, weights}, where);
}

Value scaled(Value x, Value scalar, SourceLocation where) { return add_node(x.graph(), Scaled{}, {x, scalar}, where); }

Value opaque(Value x, SourceLocation where) { return add_node(x.graph(), Opaque{}, {x}, where); }

}  // namespace eddy::test
