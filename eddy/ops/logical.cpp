// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/logical.h"

#include "eddy/ops/binary.h"
#include "eddy/ops/op_case.h"

namespace eddy {
namespace {

template <class Derived>
struct LogicalOp : OpClass<Derived> {
  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override {
    require_dtype(inputs, boolean);
    return {{boolean, broadcast_shape(inputs)}};
  }
  std::vector<Alias> aliases(std::span<const TensorType> inputs, std::span<const TensorType> outputs) const override {
    return share_equal_sizes(inputs, outputs);
  }
  Kernel make_kernel(const KernelContext& context) const override {
    return broadcast_kernel(context, plain_spans<Derived, bool, bool>());
  }
};

struct LogicalAnd final : LogicalOp<LogicalAnd> {
  static constexpr std::string_view kName = "logical_and";
  static bool apply(bool a, bool b) { return a & b; }
};

struct LogicalOr final : LogicalOp<LogicalOr> {
  static constexpr std::string_view kName = "logical_or";
  static bool apply(bool a, bool b) { return a | b; }
};

struct LogicalNot final : OpClass<LogicalNot> {
  static constexpr std::string_view kName = "logical_not";
  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override {
    require_dtype(inputs, boolean);
    return {inputs[0]};
  }
  std::vector<Alias> aliases(std::span<const TensorType> inputs, std::span<const TensorType> outputs) const override {
    return share_equal_sizes(inputs, outputs);
  }
  Kernel make_kernel(const KernelContext& context) const override {
    const std::int64_t elements = context.outputs[0].shape.elements();
    return {.run = [elements](const KernelArgs& args) {
      const bool* x = args.in<bool>(0);
      bool* y = args.out<bool>(0);
      parallel_for(elements, kElementwiseGrain, [&](std::int64_t begin, std::int64_t end) {
        EDDY_INDEPENDENT_ITERATIONS
        for (std::int64_t i = begin; i < end; ++i) y[i] = !x[i];
      });
    }};
  }
};

}  // namespace

Value logical_and(Operand a, Operand b) { return binary_node(LogicalAnd{}, a, b); }
Value logical_or(Operand a, Operand b) { return binary_node(LogicalOr{}, a, b); }
Value logical_not(Operand x) { return unary_node(LogicalNot{}, x); }

namespace {

OpCase logical_case(std::string name, Value (*build)(Operand, Operand), bool (*reference)(bool, bool)) {
  return {
      .name = std::move(name),
      .inputs = {{.type = {boolean, {3, 5}}}, {.type = {boolean, {5}}}},
      .build = [build](Graph&, std::span<const Value> x) -> std::vector<Value> { return {build(x[0], x[1])}; },
      .reference =
          [reference](std::span<const std::vector<double>> x) {
            FlatArrays result{x[0]};
            for (std::size_t i = 0; i < 15; ++i) result[0][i] = reference(x[0][i] != 0, x[1][i % 5] != 0) ? 1 : 0;
            return result;
          },
      .bench_inputs = {{.type = {boolean, {3200, 512}}}, {.type = {boolean, {3200, 512}}}},
  };
}

const RegisterOpCase case_and{logical_case("logical_and", logical_and, [](bool a, bool b) { return a && b; })};
const RegisterOpCase case_or{logical_case("logical_or", logical_or, [](bool a, bool b) { return a || b; })};
const RegisterOpCase case_not{{
    .name = "logical_not",
    .inputs = {{.type = {boolean, {3, 5}}}},
    .build = [](Graph&, std::span<const Value> x) -> std::vector<Value> { return {logical_not(x[0])}; },
    .reference =
        [](std::span<const std::vector<double>> x) {
          FlatArrays result{x[0]};
          for (double& value : result[0]) value = 1 - value;
          return result;
        },
    .bench_inputs = {{.type = {boolean, {3200, 512}}}},
}};

}  // namespace

}  // namespace eddy
