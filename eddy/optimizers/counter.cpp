// SPDX-License-Identifier: Apache-2.0
#include "eddy/optimizers/counter.h"

#include "eddy/graph/graph.h"

namespace eddy {
namespace {

struct CountWhen final : OpClass<CountWhen> {
  static constexpr std::string_view kName = "count_when";
  bool when;

  explicit CountWhen(bool w) : when(w) {}
  static void attributes(auto& op, auto&& visit) { visit("when", op.when); }
  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override {
    require<GraphError>(inputs[0] == TensorType{i32, {}} && inputs[1] == TensorType{boolean, {}},
                        "a counter i32[] and a condition bool[] are needed, not {} and {}", to_string(inputs[0]),
                        to_string(inputs[1]));
    return {inputs[0]};
  }
  std::vector<Alias> aliases(std::span<const TensorType>, std::span<const TensorType>) const override {
    return {{.output = 0, .input = 0, .kind = Alias::Kind::update}};
  }
  Kernel make_kernel(const KernelContext&) const override {
    return {.run = [when = when](const KernelArgs& args) {
      *args.out<std::int32_t>(0) = *args.in<std::int32_t>(0) + (*args.in<bool>(1) == when ? 1 : 0);
    }};
  }
};

}  // namespace

Value count_when(Value counter, Value condition, bool when, SourceLocation where) {
  return add_node(counter.graph(), CountWhen(when), {counter, condition}, where);
}

}  // namespace eddy
