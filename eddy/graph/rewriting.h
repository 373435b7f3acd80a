// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal: part of compilation.

#include <algorithm>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "eddy/core/number_text.h"
#include "eddy/graph/passes.h"
#include "eddy/graph/value_numbers.h"

namespace eddy {

/// The part of a graph that is needed, copied.
class Rewriting {
 public:
  explicit Rewriting(const Graph& graph)
      : graph_(graph), numbers_(graph), out_(std::make_unique<Graph>()), mapped_(numbers_.count()) {}

  Graph& out() { return *out_; }
  std::vector<Value> inputs_of(const Node& node) const {
    std::vector<Value> inputs;
    inputs.reserve(node.inputs.size());
    for (const Value& input : node.inputs) inputs.push_back(mapped(input));
    return inputs;
  }
  void replace(int id, std::span<const Value> outputs) {
    require<GraphError>(outputs.size() == graph_.node(id).outputs.size(), "{} given in place of the {} of [{}]",
                        counted(std::ssize(outputs), "value"), counted(std::ssize(graph_.node(id).outputs), "output"),
                        graph_.node(id).op->name());
    std::ranges::copy(outputs, mapped_.begin() + static_cast<std::ptrdiff_t>(numbers_.of(id, 0)));
  }
  void copy(int id, std::vector<Value> inputs) {
    const Value first = out_->copy(graph_.node(id), std::move(inputs));
    const int outputs = static_cast<int>(graph_.node(id).outputs.size());
    for (int i = 0; i < outputs; ++i) mapped_[numbers_.of(id, i)] = {out_.get(), first.node(), i};
  }
  Lowered take(const std::vector<Value>& results) {
    std::vector<Value> made;
    for (const Value& result : results) made.push_back(mapped(result));
    return {std::move(out_), std::move(made)};
  }

 private:
  const Value& mapped(const Value& value) const { return mapped_[numbers_.of(value)]; }

  const Graph& graph_;
  const ValueNumbers numbers_;
  std::unique_ptr<Graph> out_;
  std::vector<Value> mapped_;  ///< by value of the old graph
};

/// Rebuilds a graph node by node. `replace(node, inputs, out)` gives the values to use instead of a node's outputs; an
/// empty answer copies the node. Gives `in` itself when there are only such answers.
template <class Replace>
Lowered rewrite(Lowered& in, Replace&& replace) {
  const Graph& graph = *in.graph;
  Rewriting made(graph);
  bool replaced = false;
  for (int id = 0; id < graph.size(); ++id) {
    const Node& node = graph.node(id);
    std::vector<Value> inputs = made.inputs_of(node);
    const std::vector<Value> outputs = replace(node, inputs, made.out());
    if (outputs.empty()) {
      made.copy(id, std::move(inputs));
    } else {
      made.replace(id, outputs);
      replaced = true;
    }
  }
  return replaced ? made.take(in.results) : std::move(in);
}

}  // namespace eddy
