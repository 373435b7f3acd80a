// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <vector>

#include "eddy/graph/fuse_groups.h"
#include "eddy/graph/passes.h"
#include "eddy/graph/rewriting.h"

namespace eddy {
namespace {

/// Parts of one result: with more, as the steps of an unrolled loop are, the many small kernels would cost more.
constexpr std::size_t kMostParts = 8;

/// Whether all outputs of the node are strided parts of its only input.
bool takes_windows(const Node& node) {
  const std::vector<TensorType> types = input_types(node);
  return types.size() == 1 && node.op->input_window(types, 0).has_value();
}

/// Finds the nodes whose parts can be computed apart.
class Sinkable {
 public:
  explicit Sinkable(const Lowered& in) : graph_(*in.graph), readers_(static_cast<std::size_t>(graph_.size())) {
    std::vector<bool> is_result(readers_.size(), false);
    for (const Value& result : in.results) is_result[static_cast<std::size_t>(result.node())] = true;
    for (int id = 0; id < graph_.size(); ++id)
      for (const Value& input : graph_.node(id).inputs) readers_[static_cast<std::size_t>(input.node())].push_back(id);
    for (int id = 0; id < graph_.size(); ++id)
      sinks_.push_back(!is_result[static_cast<std::size_t>(id)] && check(id, is_result));
  }

  bool any() const { return std::ranges::find(sinks_, true) != sinks_.end(); }
  bool operator()(int id) const { return sinks_[static_cast<std::size_t>(id)]; }

 private:
  bool check(int id, const std::vector<bool>& is_result) const {
    const Node& node = graph_.node(id);
    const std::vector<int>& readers = readers_[static_cast<std::size_t>(id)];
    if (readers.empty() || !can_be_fused(node)) return false;
    std::int64_t taken = 0;
    std::size_t parts = 0;
    for (const int reader : readers) {
      const Node& window = graph_.node(reader);
      // Parts that others read would have to be copied, which is what this saves.
      const bool fused = takes_windows(window) && !is_result[static_cast<std::size_t>(reader)] &&
                         std::ranges::all_of(readers_[static_cast<std::size_t>(reader)],
                                             [&](int user) { return can_be_fused(graph_.node(user)); });
      if (!fused) return false;
      for (const TensorType& part : window.outputs) {
        if (++parts > kMostParts || !makes_part(node, part)) return false;
        taken += part.shape.elements();
      }
    }
    // What several parts have in common would be computed several times.
    return taken <= node.outputs[0].shape.elements();
  }

  /// Whether the op makes the part of its output of that part of its inputs.
  static bool makes_part(const Node& node, const TensorType& part) {
    const TensorType& whole = node.outputs[0];
    std::vector<TensorType> types = input_types(node);
    for (TensorType& type : types) {
      if (type.shape == whole.shape) {
        type.shape = part.shape;
      } else if (type.shape.elements() != 1) {
        return false;
      }
    }
    return node.op->infer(types) == std::vector<TensorType>{{whole.dtype, part.shape}};
  }

  const Graph& graph_;
  std::vector<std::vector<int>> readers_;  ///< by node
  std::vector<bool> sinks_;
};

/// The outputs of `window`, which reads an elementwise result, from the parts of that result's inputs.
std::vector<Value> sunk(const Node& window, const Value& whole, Graph& out) {
  const Node elementwise = out.node(whole.node());  // a copy: nodes move as the graph grows
  std::vector<std::vector<Value>> parts;            // by output, then input
  parts.resize(window.outputs.size());
  for (std::size_t at = 0; at < elementwise.inputs.size(); ++at) {
    const Value& input = elementwise.inputs[at];
    const auto earlier =
        static_cast<std::size_t>(std::ranges::find(elementwise.inputs, input) - elementwise.inputs.begin());
    const bool is_whole = input.shape() == whole.shape();
    std::vector<TensorType> types{input.type()};
    Value first;
    if (is_whole && earlier == at) first = out.copy({window.op, {}, window.op->infer(types), window.origin}, {input});
    for (std::size_t i = 0; i < parts.size(); ++i)
      parts[i].push_back(first ? Value(&out, first.node(), static_cast<int>(i)) : is_whole ? parts[i][earlier] : input);
  }
  std::vector<Value> result;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    TensorType type = elementwise.outputs[0];
    type.shape = window.outputs[i].shape;
    result.push_back(out.copy({elementwise.op, {}, {type}, elementwise.origin}, std::move(parts[i])));
  }
  return result;
}

}  // namespace

Lowered sink_windows(Lowered in) {
  // Each round goes one op further up a chain.
  constexpr int kMostRounds = 8;
  for (int round = 0; round < kMostRounds; ++round) {
    const Sinkable sinks(in);
    if (!sinks.any()) break;
    in = prune(rewrite(in, [&](const Node& node, const std::vector<Value>& inputs, Graph& out) {
      // Whoever reads such a result takes windows.
      if (node.inputs.empty() || !sinks(node.inputs[0].node())) return std::vector<Value>();
      return sunk(node, inputs[0], out);
    }));
  }
  return in;
}

}  // namespace eddy
