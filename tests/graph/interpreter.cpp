// SPDX-License-Identifier: Apache-2.0
#include "tests/graph/interpreter.h"

#include <cstring>
#include <memory>

#include "eddy/graph/builtin.h"

namespace eddy::test {
namespace {

/// Nodes that the results need.
std::vector<bool> needed_nodes(const Graph& graph, const std::vector<Value>& results) {
  std::vector<bool> needed(static_cast<std::size_t>(graph.size()), false);
  for (const Value& result : results) needed[static_cast<std::size_t>(result.node())] = true;
  for (int id = graph.size() - 1; id >= 0; --id)
    if (needed[static_cast<std::size_t>(id)])
      for (const Value& input : graph.node(id).inputs) needed[static_cast<std::size_t>(input.node())] = true;
  return needed;
}

}  // namespace

std::vector<Tensor> Interpreter::run(const std::map<std::string, Tensor>& bindings) {
  const std::vector<bool> needed = needed_nodes(graph_, results_);
  std::vector<std::vector<Tensor>> values(static_cast<std::size_t>(graph_.size()));
  const auto tensor_of = [&](const Value& value) -> Tensor& {
    return values[static_cast<std::size_t>(value.node())][static_cast<std::size_t>(value.output())];
  };
  // By node and output: the variable whose memory the value stands for.
  std::map<std::pair<int, int>, Tensor> written_to;
  std::vector<std::pair<Tensor, Tensor>> writes;
  for (int id = 0; id < graph_.size(); ++id) {
    if (!needed[static_cast<std::size_t>(id)]) continue;
    const Node& node = graph_.node(id);
    std::vector<Tensor>& outputs = values[static_cast<std::size_t>(id)];
    if (const auto* input = dynamic_cast<const InputOp*>(node.op.get())) {
      outputs.push_back(bindings.at(input->label));
      continue;
    }
    if (const auto* constant = dynamic_cast<const ConstantOp*>(node.op.get())) {
      outputs.push_back(constant->tensor);
      continue;
    }
    if (const auto* variable = dynamic_cast<const VariableOp*>(node.op.get())) {
      outputs.push_back(variable->variable->value);
      written_to[{id, 0}] = variable->variable->value;
      continue;
    }
    std::vector<TensorType> types;
    std::vector<const void*> input_data;
    for (const Value& input : node.inputs) {
      types.push_back(input.type());
      input_data.push_back(tensor_of(input).data());
    }
    std::vector<void*> output_data;
    for (const TensorType& type : node.outputs) output_data.push_back(outputs.emplace_back(type).data());
    bool view = false;
    for (const Alias& alias : node.op->aliases(types, node.outputs)) {
      if (alias.kind == Alias::Kind::share) continue;
      const Value source = node.inputs[static_cast<std::size_t>(alias.input)];
      const Tensor& target = outputs[static_cast<std::size_t>(alias.output)];
      const auto* from = static_cast<const std::byte*>(tensor_of(source).data());
      std::memcpy(target.data(), from + alias.offset, target.bytes());
      view = view || alias.kind == Alias::Kind::view;
      const auto variable = written_to.find({source.node(), source.output()});
      if (alias.kind != Alias::Kind::update || variable == written_to.end()) continue;
      input_data[static_cast<std::size_t>(alias.input)] = target.data();
      writes.emplace_back(variable->second, target);
      written_to[{id, alias.output}] = variable->second;
    }
    if (view) continue;
    const std::unique_ptr<bool[]> used(new bool[outputs.size()]);
    std::fill_n(used.get(), outputs.size(), true);
    const Kernel kernel = node.op->make_kernel({types, node.outputs, {used.get(), outputs.size()}});
    const auto scratch = allocate_aligned(kernel.scratch_bytes);
    kernel.run({input_data.data(), output_data.data(), scratch.get()});
  }
  std::vector<Tensor> results;
  for (const Value& result : results_) results.push_back(tensor_of(result).clone());
  for (const auto& [target, source] : writes) target.copy_from(source);
  return results;
}

}  // namespace eddy::test
