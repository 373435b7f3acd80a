// SPDX-License-Identifier: Apache-2.0
#include "eddy/graph/gradient.h"

#include <algorithm>

#include "eddy/core/error.h"
#include "eddy/graph/builder_scope.h"
#include "eddy/graph/builtin.h"
#include "eddy/graph/graph.h"

namespace eddy {
namespace {

/// The gradients that have reached each output of each node so far.
class Adjoints {
 public:
  explicit Adjoints(int nodes) : parts_(static_cast<std::size_t>(nodes)) {}

  void add(const Value& value, Gradient gradient) {
    if (gradient.empty()) return;
    std::vector<std::vector<Gradient>>& outputs = parts_[static_cast<std::size_t>(value.node())];
    outputs.resize(std::max(outputs.size(), static_cast<std::size_t>(value.output()) + 1));
    outputs[static_cast<std::size_t>(value.output())].push_back(std::move(gradient));
  }
  bool any(int node) const { return !parts_[static_cast<std::size_t>(node)].empty(); }
  Gradient total(const Value& value) const {
    const auto& outputs = parts_[static_cast<std::size_t>(value.node())];
    const auto index = static_cast<std::size_t>(value.output());
    return index < outputs.size() ? sum(outputs[index]) : Gradient();
  }

 private:
  std::vector<std::vector<std::vector<Gradient>>> parts_;
};

/// Gradient nodes answer to the line that made the forward node.
Origin gradient_origin(const Node& node) {
  Origin from = node.origin;
  from.scope = from.scope.empty() ? "gradient" : "gradient/" + from.scope;
  return from;
}

/// What the op's rule gives; errors that name no op or line get those of the node.
std::vector<Gradient> gradient_of(const Node& node, const GradientContext& context) {
  try {
    std::vector<Gradient> results = node.op->gradient(context);
    require<GraphError>(results.size() == node.inputs.size(), "its gradient rule gave {} results for {} inputs",
                        results.size(), node.inputs.size());
    for (std::size_t i = 0; i < results.size(); ++i) {
      if (!context.input_needed[i]) continue;
      const Value dense = results[i].dense_part();
      require<GraphError>(!dense || dense.type() == node.inputs[i].type(),
                          "its gradient rule gave {} for input {} of type {}", dense ? to_string(dense.type()) : "", i,
                          to_string(node.inputs[i].type()));
    }
    return results;
  } catch (const GraphError& error) {
    throw error.within(node.op->name(), node.origin);
  }
}

/// For each node up to the loss, whether it depends on one of `wrt`.
std::vector<bool> dependents(const Graph& graph, int last, std::span<const Value> wrt) {
  std::vector<bool> depends(static_cast<std::size_t>(last) + 1, false);
  for (const Value& value : wrt)
    if (value.node() <= last) depends[static_cast<std::size_t>(value.node())] = true;
  for (int id = 0; id <= last; ++id)
    for (const Value& input : graph.node(id).inputs)
      if (depends[static_cast<std::size_t>(input.node())] && input.dtype() == f32)
        depends[static_cast<std::size_t>(id)] = true;
  return depends;
}

}  // namespace

Value Gradient::dense(Value like) const {
  require<GraphError>(!empty(), "an empty gradient has no dense form");
  Value result = dense_;
  for (const RowSparse& part : sparse_) result = scatter_add(result, like.shape(), part.indices, part.rows);
  return result;
}

Gradient sum(const std::vector<Gradient>& parts) {
  Gradient result;
  std::vector<Value> dense;
  for (const Gradient& part : parts) {
    if (part.dense_) dense.push_back(part.dense_);
    result.sparse_.insert(result.sparse_.end(), part.sparse_.begin(), part.sparse_.end());
  }
  if (!dense.empty()) result.dense_ = add_n(dense);
  return result;
}

std::vector<Gradient> gradients(Value loss, std::span<const Value> wrt, SourceLocation where) {
  const BuilderScope at("gradients", "the loss", loss, where);
  at.check(loss.dtype() == f32 && loss.shape().elements() == 1, "the loss must be one f32 number, not {}",
           to_string(loss.type()));
  Graph& graph = loss.graph();
  for (const Value& value : wrt)
    at.check(value && &value.graph() == &graph && value.dtype() == f32,
             "each value must be f32 and of the loss's graph, one is {}",
             !value                     ? "empty"
             : &value.graph() != &graph ? "of another graph"
                                        : to_string(value.type()));
  Seed seed{loss, {}};
  {
    const OriginScope origin(graph, Origin(graph.node(loss.node()).origin));
    seed.gradient = full(graph, loss.type(), 1.0f);
  }
  return backpropagate({&seed, 1}, wrt);
}

std::vector<Gradient> backpropagate(std::span<const Seed> seeds, std::span<const Value> wrt) {
  if (seeds.empty()) return std::vector<Gradient>(wrt.size());
  Graph& graph = seeds[0].value.graph();
  const NameScope scope(graph, "gradient");
  int last = 0;
  for (const Seed& seed : seeds) last = std::max(last, seed.value.node());
  const std::vector<bool> depends = dependents(graph, last, wrt);
  Adjoints adjoints(last + 1);
  for (const Seed& seed : seeds)
    if (depends[static_cast<std::size_t>(seed.value.node())]) adjoints.add(seed.value, seed.gradient);
  for (int id = last; id >= 0; --id) {
    if (!depends[static_cast<std::size_t>(id)] || !adjoints.any(id)) continue;
    const Node& node = graph.node(id);
    GradientContext context;
    bool wanted = false;
    for (const Value& input : node.inputs) {
      context.input_needed.push_back(depends[static_cast<std::size_t>(input.node())] && input.dtype() == f32);
      wanted = wanted || context.input_needed.back();
    }
    if (!wanted) continue;
    const OriginScope origin(graph, gradient_origin(node));
    const std::vector<Value> outputs = graph.outputs({&graph, id, 0});
    std::vector<Value> output_gradients;
    for (const Value& output : outputs) {
      const Gradient total = adjoints.total(output);
      output_gradients.push_back(total.empty() ? Value() : total.dense(output));
    }
    context.inputs = node.inputs;
    context.outputs = outputs;
    context.output_gradients = output_gradients;
    std::vector<Gradient> results = gradient_of(node, context);
    for (std::size_t i = 0; i < results.size(); ++i)
      if (context.input_needed[i]) adjoints.add(node.inputs[i], std::move(results[i]));
  }
  std::vector<Gradient> result;
  for (const Value& value : wrt) {
    result.emplace_back();
    if (value.node() > last) continue;
    const OriginScope origin(graph, gradient_origin(graph.node(value.node())));
    result.back() = adjoints.total(value);
  }
  return result;
}

std::vector<Value> dense_gradients(Value loss, std::span<const Value> wrt, SourceLocation where) {
  const OriginScope origin(where);
  std::vector<Value> result;
  const std::vector<Gradient> found = gradients(loss, wrt, where);
  for (std::size_t i = 0; i < wrt.size(); ++i)
    result.push_back(found[i].empty() ? full(loss.graph(), wrt[i].type(), 0.0f) : found[i].dense(wrt[i]));
  return result;
}

}  // namespace eddy
