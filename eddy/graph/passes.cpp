// SPDX-License-Identifier: Apache-2.0
#include "eddy/graph/passes.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <map>
#include <unordered_map>

#include "eddy/core/denormals.h"
#include "eddy/core/number_text.h"
#include "eddy/graph/aliases.h"
#include "eddy/graph/builtin.h"
#include "eddy/graph/node_key.h"
#include "eddy/graph/program_impl.h"
#include "eddy/graph/rewriting.h"
#include "eddy/graph/row_reader.h"

namespace eddy {
namespace {

/// Folding a larger value would trade a cheap computation for memory that lives as long as the program.
constexpr std::size_t kFoldLimitBytes = std::size_t{64} * 1024;

/// Rounds of clean-up before what is left is taken as it is; nearly all graphs are done after two.
constexpr int kMostRounds = 4;

/// Adds what may run although no result needs it.
std::vector<bool> with_dead_nodes(const Graph& graph, std::vector<bool> needed) {
  std::vector<bool> barred(needed.size(), false);
  for (int id = 0; id < graph.size(); ++id) {
    const Node& node = graph.node(id);
    const auto index = static_cast<std::size_t>(id);
    if (needed[index]) continue;
    barred[index] = updates_variable(node) || node.op->name() == "input" ||
                    std::ranges::any_of(node.inputs, [&](const Value& input) {
                      return barred[static_cast<std::size_t>(input.node())];
                    });
    if (!barred[index]) needed[index] = true;
  }
  return needed;
}

Lowered copy_needed(const Graph& graph, const std::vector<Value>& results, const std::vector<bool>& needed) {
  Rewriting made(graph);
  for (int id = 0; id < graph.size(); ++id)
    if (needed[static_cast<std::size_t>(id)]) made.copy(id, made.inputs_of(graph.node(id)));
  return made.take(results);
}

/// Finds nodes that compute the same. Constants are told apart by a hash first: they may be large.
class FirstEqual {
 public:
  /// The first of the nodes given so far that computes what node `id` does of these inputs; at first `id` itself.
  int find(int id, const Node& node, std::span<const Value> inputs) {
    const auto* constant = dynamic_cast<const ConstantOp*>(node.op.get());
    if (constant == nullptr) return nodes_.emplace(key_of(*node.op, inputs), id).first->second;
    const std::string_view bytes = bytes_of(constant->tensor);
    const std::size_t hash = std::hash<std::string_view>()(bytes);
    const auto [begin, end] = constants_.equal_range(hash);
    for (auto known = begin; known != end; ++known)
      if (known->second.tensor.type() == constant->tensor.type() && bytes_of(known->second.tensor) == bytes)
        return known->second.id;
    constants_.emplace(hash, Constant{constant->tensor, id});
    return id;
  }

 private:
  struct Constant {
    Tensor tensor;
    int id;
  };

  static std::string_view bytes_of(const Tensor& tensor) {
    return {static_cast<const char*>(tensor.data()), tensor.bytes()};
  }

  std::unordered_map<std::string, int> nodes_;
  std::unordered_multimap<std::size_t, Constant> constants_;  ///< by hash of their bytes
};

/// Throws GraphError, with the op, unless `lowered` may stand for the outputs of `node`, of which some are used.
void check_lowered(const Node& node, const std::vector<Value>& lowered, const std::vector<bool>& used) {
  const auto require_that = [&](bool holds, std::size_t output, std::string_view found) {
    if (!holds)
      throw GraphError(
          node.op->name(),
          fmt::format("output {} is lowered to {}, expected {}", output, found, to_string(node.outputs[output])),
          node.origin);
  };
  for (std::size_t i = 0; i < node.outputs.size(); ++i) {
    const bool is_there = i < lowered.size() && lowered[i];
    require_that(is_there || !used[i], i, "nothing");
    if (is_there) require_that(lowered[i].type() == node.outputs[i], i, to_string(lowered[i].type()));
  }
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
  for (const Alias& alias : aliases) {
    if (alias.kind != Alias::Kind::view) continue;
    const Tensor& target = outputs[static_cast<std::size_t>(alias.output)];
    const auto* source = static_cast<const std::byte*>(input_data[static_cast<std::size_t>(alias.input)]);
    std::memcpy(target.data(), source + alias.offset, target.bytes());
  }
  if (is_view(aliases)) return outputs;
  const std::unique_ptr<bool[]> used(new bool[outputs.size()]);
  std::fill_n(used.get(), outputs.size(), true);
  const Kernel kernel = node.op->make_kernel({input_types, node.outputs, {used.get(), outputs.size()}});
  const auto scratch = allocate_aligned(kernel.scratch_bytes);
  const FloatModes modes(FloatModes::without_denormals());
  kernel.run({input_data.data(), output_data.data(), scratch.get()});
  return outputs;
}

}  // namespace

std::vector<bool> needed_nodes(const Graph& graph, const std::vector<Value>& results) {
  std::vector<bool> needed(static_cast<std::size_t>(graph.size()), false);
  for (const Value& result : results) needed[static_cast<std::size_t>(result.node())] = true;
  for (int id = graph.size() - 1; id >= 0; --id)
    if (needed[static_cast<std::size_t>(id)])
      for (const Value& input : graph.node(id).inputs) needed[static_cast<std::size_t>(input.node())] = true;
  return needed;
}

Lowered extract(const Graph& graph, const std::vector<Value>& results, bool prune) {
  const std::vector<bool> needed = needed_nodes(graph, results);
  return copy_needed(graph, results, prune ? needed : with_dead_nodes(graph, needed));
}

Lowered prune(Lowered in) {
  const std::vector<bool> needed = needed_nodes(*in.graph, in.results);
  if (std::ranges::find(needed, false) == needed.end()) return in;
  return copy_needed(*in.graph, in.results, needed);
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
  // Of an update's own result nobody knows yet which rows are behind.
  const auto refuse_updated = [](const Value& value, std::string_view reader) {
    const Node& node = value.graph().node(value.node());
    require<GraphError>(value.output() != 0 || dynamic_cast<const RowReader*>(node.op.get()) == nullptr,
                        "{} what an update makes of {}, some rows of which catch_up_rows leaves behind; read the "
                        "variable in a program of its own, or update all rows",
                        reader.empty() ? std::string("a result is") : fmt::format("[{}] reads", reader),
                        to_string(value.type()));
  };
  for (const Value& value : in.results) refuse_updated(value, {});
  Lowered result = rewrite(in, [&](const Node& node, std::vector<Value> inputs, Graph& out) {
    const OriginScope origin(out, node.origin);
    // One node for a variable, whoever asks for it first.
    if (const auto* variable = dynamic_cast<const VariableOp*>(node.op.get()))
      return std::vector<Value>{out.variable(variable->variable)};
    bool changed = false;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      if (!(i > 0 && node.op->name() == "after")) refuse_updated(node.inputs[i], node.op->name());
      const auto found = readers.find(node.inputs[i].node());
      // What `after` waits for it does not read.
      if (found == readers.end() || (i > 0 && node.op->name() == "after") || updates_input(aliases_of(node), i))
        continue;
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

Lowered simplify(Lowered in) {
  return rewrite(in, [](const Node& node, const std::vector<Value>& inputs, Graph& out) {
    const OriginScope origin(out, node.origin);
    return node.op->simplify(inputs);
  });
}

Lowered fold_constants(Lowered in) {
  const auto folds = [](const Node& node, const std::vector<Value>& inputs) {
    if (inputs.empty() && node.op->name() != "full") return false;
    if (!std::ranges::all_of(inputs, [](const Value& input) { return constant_of(input) != nullptr; })) return false;
    std::size_t bytes = 0;
    for (const TensorType& type : node.outputs) bytes += type.bytes();
    return bytes <= kFoldLimitBytes && !updates_variable(node);
  };
  bool any = false;
  for (int id = 0; !any && id < in.graph->size(); ++id) any = folds(in.graph->node(id), in.graph->node(id).inputs);
  if (!any) return in;
  return rewrite(in, [&](const Node& node, const std::vector<Value>& inputs, Graph& out) {
    if (!folds(node, inputs)) return std::vector<Value>();
    std::vector<const Tensor*> constants;
    for (const Value& input : inputs) constants.push_back(constant_of(input));
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

Lowered eliminate_common_subexpressions(Lowered in) {
  const Graph& graph = *in.graph;
  FirstEqual first_equal;
  std::vector<int> first;  // by node: the first that computes the same
  bool any = false;
  for (int id = 0; id < graph.size(); ++id) {
    const Node& node = graph.node(id);
    std::vector<Value> inputs = node.inputs;
    for (Value& input : inputs) input = {&input.graph(), first[static_cast<std::size_t>(input.node())], input.output()};
    const bool is_own = updates_variable(node) || node.op->name() == "input" || node.op->name() == "variable";
    first.push_back(is_own ? id : first_equal.find(id, node, inputs));
    any = any || first.back() != id;
  }
  if (!any) return in;
  std::vector<int> made;  // of those that are first: their copies
  int id = -1;
  return rewrite(in, [&](const Node&, const std::vector<Value>&, Graph& out) {
    const int source = first[static_cast<std::size_t>(++id)];
    made.push_back(out.size());
    if (source == id) return std::vector<Value>();
    return Graph::outputs({&out, made[static_cast<std::size_t>(source)], 0});
  });
}

Lowered lower(Lowered in, const PassSwitches& switches) {
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
    std::vector<Value> lowered = node.op->lower(inputs, outputs, switches);
    if (!lowered.empty()) check_lowered(node, lowered, outputs);
    return lowered;
  });
}

Lowered separate_updates(Lowered in) {
  const ValueNumbers numbers(*in.graph);
  // By value: the variable node it shows, directly or through views; -1 for anything computed.
  std::vector<int> shown(numbers.count(), -1);
  std::map<int, int> writers;  // variable node to the node that updates it
  for (int id = 0; id < in.graph->size(); ++id) {
    const Node& node = in.graph->node(id);
    if (node.op->name() == "variable") shown[numbers.of(id, 0)] = id;
    for (const Alias& alias : aliases_of(node)) {
      const int source = shown[numbers.of(node.inputs[static_cast<std::size_t>(alias.input)])];
      if (alias.kind == Alias::Kind::view) shown[numbers.of(id, alias.output)] = source;
      if (alias.kind == Alias::Kind::update && source >= 0) writers.emplace(source, id);
    }
  }
  std::map<int, std::vector<std::size_t>> copies;  // updates, and the inputs to copy for them
  for (int id = 0; !writers.empty() && id < in.graph->size(); ++id) {
    const Node& node = in.graph->node(id);
    const std::vector<Alias> aliases = aliases_of(node);
    if (!updates_variable(aliases)) continue;
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      const auto writer = writers.find(shown[numbers.of(node.inputs[i])]);
      if (writer != writers.end() && writer->second != id && !updates_input(aliases, i)) copies[id].push_back(i);
    }
  }
  if (copies.empty()) return in;
  int id = -1;
  return rewrite(in, [&](const Node& node, std::vector<Value> inputs, Graph& out) {
    const auto wanted = copies.find(++id);
    if (wanted == copies.end()) return std::vector<Value>();
    const OriginScope origin(out, node.origin);
    for (const std::size_t i : wanted->second) inputs[i] = copy_of(inputs[i]);
    return Graph::outputs(out.copy(node, std::move(inputs)));
  });
}

Lowered run_passes(const Graph& graph, const std::vector<Value>& results, const PassSwitches& switches) {
  Lowered lowered = read_current_rows(extract(graph, results, switches.prune));
  // Whether the pass is on and replaced anything; it gives back the same graph if not.
  const auto apply = [&lowered](bool on, auto&& pass) {
    if (!on) return false;
    const Graph* before = lowered.graph.get();
    lowered = pass(std::move(lowered));
    return lowered.graph.get() != before;
  };
  const auto lowered_inside = [&](Lowered in) { return lower(std::move(in), switches); };
  // One rewrite opens the way for another.
  for (int round = 0; round < kMostRounds; ++round) {
    bool changed = apply(switches.simplify, simplify);
    changed |= apply(switches.fold, fold_constants);
    changed |= apply(switches.cse, eliminate_common_subexpressions);
    changed |= apply(switches.prune, prune);
    if (!changed) break;
  }
  // Lowering an op with a graph inside moves work out of it; once that is cleaned up, the second time finishes it.
  for (int stage = 0; stage < 2 && apply(switches.lower, lowered_inside); ++stage) {
    apply(true, prune);
    apply(switches.simplify, simplify);
    apply(switches.cse, eliminate_common_subexpressions);
  }
  // A value that nothing reads has no place in a fused op.
  if (switches.fuse) lowered = fuse_elementwise(sink_windows(prune(std::move(lowered))));
  return separate_updates(std::move(lowered));
}

}  // namespace eddy
