// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/random_key.h"

#include <algorithm>

#include "eddy/graph/graph.h"
#include "eddy/ops/elementwise.h"
#include "eddy/ops/random_op.h"

namespace eddy {
namespace {

struct AdvanceRandom final : OpClass<AdvanceRandom> {
  static constexpr std::string_view kName = "advance_random";

  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override {
    require_key(inputs[0]);
    return {inputs[0]};
  }
  std::vector<Alias> aliases(std::span<const TensorType>, std::span<const TensorType>) const override {
    return {{.output = 0, .input = 0, .kind = Alias::Kind::update}};
  }
  Kernel make_kernel(const KernelContext&) const override {
    return {.run = [](const KernelArgs& args) {
      const auto* key = args.in<std::int32_t>(0);
      auto* out = args.out<std::int32_t>(0);
      const auto low = static_cast<std::uint32_t>(key[2]) + 1;
      const auto high = static_cast<std::uint32_t>(key[3]) + (low == 0 ? 1 : 0);
      out[0] = key[0];
      out[1] = key[1];
      out[2] = static_cast<std::int32_t>(low);
      out[3] = static_cast<std::int32_t>(high);
    }};
  }
};

}  // namespace

std::uint32_t next_stream(std::initializer_list<Value> inputs) {
  const Value& innermost =
      *std::ranges::max_element(inputs, {}, [](const Value& input) { return input ? input.graph().depth() : -1; });
  Graph& graph = innermost.graph();
  Graph::StreamSearch& search = graph.stream_search();
  search.next = std::max(search.next, graph.first_stream());
  for (; search.nodes < graph.size(); ++search.nodes)
    if (const auto* op = dynamic_cast<const RandomOp*>(graph.node(search.nodes).op.get()))
      search.next = std::max(search.next, op->stream + 1);
  return search.next;
}

void require_key(const TensorType& type) {
  require<GraphError>(type == TensorType{i32, {4}}, "the random key must be i32[4], it is {}", type);
}

Value random_key(Graph& graph, ParameterStore& store, SourceLocation where) {
  const Initializer seed = [](const Tensor& value, Philox& random) {
    const std::span<std::int32_t> key = value.values<std::int32_t>();
    key[0] = static_cast<std::int32_t>(random());
    key[1] = static_cast<std::int32_t>(random());
    key[2] = 0;
    key[3] = 0;
  };
  return state(graph, store, "random/key", {i32, {4}}, seed, where);
}

Value advance_random(Operand key) {
  Graph& graph = value_of(AdvanceRandom::kName, key).graph();
  for (int id = key.value.node() + 1; id < graph.size(); ++id) {
    const Node& node = graph.node(id);
    if (node.op->name() == AdvanceRandom::kName && node.inputs[0] == key.value) return {&graph, id, 0};
  }
  return add_node(graph, AdvanceRandom{}, {key.value}, key.where);
}

}  // namespace eddy
