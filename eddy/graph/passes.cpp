// SPDX-License-Identifier: Apache-2.0
#include "eddy/graph/passes.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <unordered_map>

#include "eddy/graph/builtin.h"
#include "eddy/graph/node_key.h"
#include "eddy/graph/program_impl.h"
#include "eddy/graph/row_reader.h"

namespace eddy {
namespace {

/// Folding a larger value would trade a cheap computation for memory that lives as long as the program.
constexpr std::size_t kFoldLimitBytes = std::size_t{64} * 1024;

/// Rounds of clean-up before what is left is taken as it is; nearly all graphs are done after two.
constexpr int kMostRounds = 4;

bool updates_variable(const Node& node) {
  return std::ranges::any_of(aliases_of(node), [](const Alias& alias) { return alias.kind == Alias::Kind::update; });
}

std::vector<bool> needed_nodes(const Graph& graph, const std::vector<Value>& results, bool prune) {
  std::vector<bool> needed(static_cast<std::size_t>(graph.size()), false);
  for (const Value& result : results) needed[static_cast<std::size_t>(result.node())] = true;
  for (int id = graph.size() - 1; id >= 0; --id)
    if (needed[static_cast<std::size_t>(id)])
      for (const Value& input : graph.node(id).inputs) needed[static_cast<std::size_t>(input.node())] = true;
  if (prune) return needed;
  std::vector<bool> effects(needed.size(), false);
  for (int id = 0; id < graph.size(); ++id) {
    const Node& node = graph.node(id);
    const auto index = static_cast<std::size_t>(id);
    effects[index] = updates_variable(node) || std::ranges::any_of(node.inputs, [&](const Value& input) {
                       return effects[static_cast<std::size_t>(input.node())];
                     });
    if (!effects[index]) needed[index] = true;
  }
  return needed;
}

/// Rebuilds `graph` node by node. `replace(node, inputs, out)` gives the values to use instead of a node's outputs;
/// an empty answer copies the node.
template <class Replace>
Lowered rewrite(const Graph& graph, const std::vector<Value>& results, const std::vector<bool>& needed,
                Replace&& replace) {
  Lowered lowered{std::make_unique<Graph>(), {}};
  std::vector<std::vector<Value>> mapped(static_cast<std::size_t>(graph.size()));
  const auto map_value = [&](const Value& value) {
    return mapped[static_cast<std::size_t>(value.node())][static_cast<std::size_t>(value.output())];
  };
  for (int id = 0; id < graph.size(); ++id) {
    if (!needed[static_cast<std::size_t>(id)]) continue;
    const Node& node = graph.node(id);
    std::vector<Value> inputs;
    inputs.reserve(node.inputs.size());
    for (const Value& input : node.inputs) inputs.push_back(map_value(input));
    std::vector<Value> outputs = replace(node, inputs, *lowered.graph);
    if (outputs.empty()) outputs = lowered.graph->outputs(lowered.graph->copy(node, std::move(inputs)));
    mapped[static_cast<std::size_t>(id)] = std::move(outputs);
  }
  for (const Value& result : results) lowered.results.push_back(map_value(result));
  return lowered;
}

template <class Replace>
Lowered rewrite(const Lowered& in, Replace&& replace) {
  const std::vector<bool> all(static_cast<std::size_t>(in.graph->size()), true);
  return rewrite(*in.graph, in.results, all, std::forward<Replace>(replace));
}

/// Whether passes made `after` of `before` without replacing anything.
bool is_copy(const Graph& before, const Graph& after) {
  bool same = before.size() == after.size();
  for (int id = 0; same && id < before.size(); ++id) {
    const Node& a = before.node(id);
    const Node& b = after.node(id);
    same = a.op == b.op && std::ranges::equal(a.inputs, b.inputs, [](const Value& x, const Value& y) {
             return x.node() == y.node() && x.output() == y.output();
           });
  }
  return same;
}

/// Runs one node on constants.
std::vector<Tensor> evaluate(const Node& node, const std::vector<const Tensor*>& inputs) {
  std::vector<TensorType> input_types;
  std::vector<const void*> input_data;
  input_types.reserve(inputs.size());
  input_data.reserve(inputs.size());
  for (const Tensor* tensor : inputs) {
    input_types.push_back(tensor->type());
    input_data.push_back(tensor->data());
  }
  std::vector<Tensor> outputs;
  std::vector<void*> output_data;
  for (const TensorType& type : node.outputs) {
    outputs.emplace_back(type);
    output_data.push_back(outputs.back().data());
  }
  const std::vector<Alias> aliases = node.op->aliases(input_types, node.outputs);
  bool is_view = false;
  for (const Alias& alias : aliases) {
    if (alias.kind != Alias::Kind::view) continue;
    const Tensor& target = outputs[static_cast<std::size_t>(alias.output)];
    const auto* source = static_cast<const std::byte*>(input_data[static_cast<std::size_t>(alias.input)]);
    std::memcpy(target.data(), source + alias.offset, target.bytes());
    is_view = true;
  }
  if (is_view) return outputs;
  const std::unique_ptr<bool[]> used(new bool[outputs.size()]);
  std::fill_n(used.get(), outputs.size(), true);
  const Kernel kernel = node.op->make_kernel({input_types, node.outputs, {used.get(), outputs.size()}});
  const auto scratch = allocate_aligned(kernel.scratch_bytes);
  kernel.run({input_data.data(), output_data.data(), scratch.get()});
  return outputs;
}

}  // namespace

Lowered extract(const Graph& graph, const std::vector<Value>& results, bool prune) {
  const auto copy = [](const Node&, const std::vector<Value>&, Graph&) { return std::vector<Value>(); };
  return rewrite(graph, results, needed_nodes(graph, results, prune), copy);
}

Lowered read_current_rows(Lowered in) {
  // Variables, by node, and the ops that leave some of their rows behind.
  std::map<int, int> readers;
  for (int id = 0; id < in.graph->size(); ++id)
    if (dynamic_cast<const RowReader*>(in.graph->node(id).op.get()) != nullptr)
      readers.emplace(in.graph->node(id).inputs[0].node(), id);
  if (readers.empty()) return in;
  const auto variable_in = [](Graph& out, const Value& value) {
    const auto* op = dynamic_cast<const VariableOp*>(value.graph().node(value.node()).op.get());
    require<GraphError>(op != nullptr, "what brings rows up to date must be variables, not {}",
                        to_string(value.type()));
    return out.variable(op->variable);
  };
  const auto current = [&](Graph& out, int update, const Value& indices) {
    const Node& node = in.graph->node(update);
    const auto& reader = dynamic_cast<const RowReader&>(*node.op);
    std::vector<Value> state;
    for (int i = 0; i < reader.state_inputs(); ++i)
      state.push_back(variable_in(out, node.inputs[static_cast<std::size_t>(i)]));
    return indices ? reader.current_rows(state, indices) : reader.current_table(state);
  };
  Lowered result = rewrite(in, [&](const Node& node, std::vector<Value> inputs, Graph& out) {
    const OriginScope origin(out, node.origin);
    // One node for a variable, whoever asks for it first.
    if (const auto* variable = dynamic_cast<const VariableOp*>(node.op.get()))
      return std::vector<Value>{out.variable(variable->variable)};
    bool changed = false;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const auto found = node.inputs[i] ? readers.find(node.inputs[i].node()) : readers.end();
      const bool updates = std::ranges::any_of(aliases_of(node), [&](const Alias& alias) {
        return alias.kind == Alias::Kind::update && alias.input == static_cast<int>(i);
      });
      // What `after` waits for it does not read.
      if (found == readers.end() || updates || (i > 0 && node.op->name() == "after")) continue;
      if (i == 0 && node.op->name() == "gather_rows") return std::vector<Value>{current(out, found->second, inputs[1])};
      inputs[i] = current(out, found->second, {});
      changed = true;
    }
    return changed ? out.outputs(out.copy(node, std::move(inputs))) : std::vector<Value>();
  });
  for (std::size_t i = 0; i < in.results.size(); ++i)
    if (const auto found = readers.find(in.results[i].node()); found != readers.end())
      result.results[i] = current(*result.graph, found->second, {});
  return result;
}

Lowered simplify(const Lowered& in) {
  return rewrite(in, [](const Node& node, const std::vector<Value>& inputs, Graph& out) {
    const OriginScope origin(out, node.origin);
    return node.op->simplify(inputs);
  });
}

Lowered fold_constants(const Lowered& in) {
  return rewrite(in, [](const Node& node, const std::vector<Value>& inputs, Graph& out) {
    std::vector<const Tensor*> constants;
    for (const Value& input : inputs) constants.push_back(constant_of(input));
    const bool is_full = node.op->name() == "full";
    std::size_t bytes = 0;
    for (const TensorType& type : node.outputs) bytes += type.bytes();
    if ((inputs.empty() && !is_full) || bytes > kFoldLimitBytes || updates_variable(node) ||
        std::ranges::find(constants, nullptr) != constants.end())
      return std::vector<Value>();
    const OriginScope origin(out, node.origin);
    std::vector<Value> results;
    try {
      for (const Tensor& tensor : evaluate(node, constants)) results.push_back(out.constant(tensor));
    } catch (const Error& error) {
      fail_in(node, error);
    }
    return results;
  });
}

Lowered eliminate_common_subexpressions(const Lowered& in) {
  std::unordered_map<std::string, std::vector<Value>> seen;
  return rewrite(in, [&](const Node& node, const std::vector<Value>& inputs, Graph& out) {
    if (updates_variable(node) || node.op->name() == "input" || node.op->name() == "variable")
      return std::vector<Value>();
    std::string key = key_of(*node.op, inputs);
    const auto found = seen.find(key);
    if (found != seen.end()) return found->second;
    std::vector<Value> outputs = out.outputs(out.copy(node, inputs));
    seen.emplace(std::move(key), outputs);
    return outputs;
  });
}

Lowered lower(const Lowered& in, const PassSwitches& switches) {
  std::vector<std::vector<bool>> used(static_cast<std::size_t>(in.graph->size()));
  const auto use = [&](const Value& value) {
    std::vector<bool>& outputs = used[static_cast<std::size_t>(value.node())];
    outputs.resize(in.graph->node(value.node()).outputs.size());
    outputs[static_cast<std::size_t>(value.output())] = true;
  };
  for (int id = 0; id < in.graph->size(); ++id)
    for (const Value& input : in.graph->node(id).inputs) use(input);
  for (const Value& result : in.results) use(result);
  int id = -1;
  return rewrite(in, [&](const Node& node, const std::vector<Value>& inputs, Graph& out) {
    std::vector<bool>& outputs = used[static_cast<std::size_t>(++id)];
    outputs.resize(node.outputs.size());
    const OriginScope origin(out, node.origin);
    return node.op->lower(inputs, outputs, switches);
  });
}

Lowered separate_updates(const Lowered& in) {
  // The variable a value shows, directly or through views; -1 for anything computed.
  std::vector<std::vector<int>> shown(static_cast<std::size_t>(in.graph->size()));
  const auto shown_by = [&](const Value& value) -> int& {
    return shown[static_cast<std::size_t>(value.node())][static_cast<std::size_t>(value.output())];
  };
  std::map<int, int> writers;  // variable node to the node that updates it
  for (int id = 0; id < in.graph->size(); ++id) {
    const Node& node = in.graph->node(id);
    shown[static_cast<std::size_t>(id)].assign(node.outputs.size(), -1);
    if (node.op->name() == "variable") shown[static_cast<std::size_t>(id)][0] = id;
    for (const Alias& alias : aliases_of(node)) {
      const int source = shown_by(node.inputs[static_cast<std::size_t>(alias.input)]);
      if (alias.kind == Alias::Kind::view)
        shown[static_cast<std::size_t>(id)][static_cast<std::size_t>(alias.output)] = source;
      if (alias.kind == Alias::Kind::update && source >= 0) writers.emplace(source, id);
    }
  }
  int id = -1;
  return rewrite(in, [&](const Node& node, std::vector<Value> inputs, Graph& out) {
    ++id;
    std::vector<Value> outputs;
    if (!updates_variable(node)) return outputs;
    const OriginScope origin(out, node.origin);
    bool changed = false;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const auto writer = writers.find(shown_by(node.inputs[i]));
      const bool is_target = std::ranges::any_of(aliases_of(node), [&](const Alias& alias) {
        return alias.kind == Alias::Kind::update && alias.input == static_cast<int>(i);
      });
      if (writer == writers.end() || writer->second == id || is_target) continue;
      inputs[i] = copy_of(inputs[i]);
      changed = true;
    }
    if (changed) outputs = out.outputs(out.copy(node, std::move(inputs)));
    return outputs;
  });
}

Lowered run_passes(const Graph& graph, const std::vector<Value>& results, const PassSwitches& switches) {
  Lowered lowered = read_current_rows(extract(graph, results, switches.prune));
  // Whether the pass is on and replaced anything.
  const auto apply = [&lowered](bool on, auto&& pass) {
    if (!on) return false;
    Lowered next = pass(lowered);
    const bool changed = !is_copy(*lowered.graph, *next.graph);
    lowered = std::move(next);
    return changed;
  };
  const auto pruned = [](const Lowered& in) { return extract(*in.graph, in.results, true); };
  const auto lowered_inside = [&](const Lowered& in) { return lower(in, switches); };
  // One rewrite opens the way for another.
  for (int round = 0; round < kMostRounds; ++round) {
    bool changed = apply(switches.simplify, simplify);
    changed |= apply(switches.fold, fold_constants);
    changed |= apply(switches.cse, eliminate_common_subexpressions);
    changed |= apply(switches.prune, pruned);
    if (!changed) break;
  }
  // Lowering an op with a graph inside moves work out of it; once that is cleaned up, the second time finishes it.
  for (int stage = 0; stage < 2 && apply(switches.lower, lowered_inside); ++stage) {
    apply(true, pruned);
    apply(switches.simplify, simplify);
    apply(switches.cse, eliminate_common_subexpressions);
  }
  // A value that nothing reads has no place in a fused op.
  if (switches.fuse) lowered = fuse_elementwise(pruned(lowered));
  return separate_updates(lowered);
}

}  // namespace eddy
