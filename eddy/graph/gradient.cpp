// SPDX-License-Identifier: Apache-2.0
#include "eddy/graph/gradient.h"

#include <algorithm>

#include "eddy/core/error.h"
#include "eddy/core/number_text.h"
#include "eddy/graph/builder_scope.h"
#include "eddy/graph/builtin.h"
#include "eddy/graph/graph.h"

namespace eddy {
namespace {

/// The nodes from the first value that derivatives are asked for to the last seed: no other has a part in them, and
/// the graph may be much larger.
struct Stretch {
  int first = 0;
  int last = -1;

  std::size_t size() const { return static_cast<std::size_t>(std::max(0, last + 1 - first)); }
  bool contains(int node) const { return first <= node && node <= last; }
  std::size_t index(int node) const { return static_cast<std::size_t>(node - first); }
};

/// The gradients that have reached each output of each node so far.
class Adjoints {
 public:
  explicit Adjoints(const Stretch& stretch) : stretch_(stretch), parts_(stretch.size()) {}

  void add(const Value& value, Gradient gradient) {
    if (gradient.empty()) return;
    std::vector<std::vector<Gradient>>& outputs = parts_[stretch_.index(value.node())];
    outputs.resize(std::max(outputs.size(), static_cast<std::size_t>(value.output()) + 1));
    outputs[static_cast<std::size_t>(value.output())].push_back(std::move(gradient));
  }
  bool any(int node) const { return !parts_[stretch_.index(node)].empty(); }
  Gradient total(const Value& value) const {
    const auto& outputs = parts_[stretch_.index(value.node())];
    const auto index = static_cast<std::size_t>(value.output());
    return index < outputs.size() ? sum(outputs[index]) : Gradient();
  }

 private:
  Stretch stretch_;
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
    require<GraphError>(results.size() == node.inputs.size(), "its gradient rule gave {} for {}",
                        counted(std::ssize(results), "result"), counted(std::ssize(node.inputs), "input"));
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

/// Which values depend on one of `wrt` in a way that gradients pass.
class Dependents {
 public:
  Dependents(const Graph& graph, const Stretch& stretch, std::span<const Value> wrt)
      : stretch_(stretch), depends_(stretch.size()) {
    for (const Value& value : wrt)
      if (stretch.contains(value.node()))
        outputs_of(graph, value.node())[static_cast<std::size_t>(value.output())] = true;
    for (int id = stretch.first; id <= stretch.last; ++id) add_node(graph, id);
  }

  bool contains(int node) const {
    return stretch_.contains(node) && std::ranges::count(depends_[stretch_.index(node)], true) > 0;
  }
  /// Whether a gradient passes through the value.
  bool passes(const Value& value) const {
    if (value.dtype() != f32 || !stretch_.contains(value.node())) return false;
    const std::vector<bool>& outputs = depends_[stretch_.index(value.node())];
    return !outputs.empty() && outputs[static_cast<std::size_t>(value.output())];
  }

 private:
  std::vector<bool>& outputs_of(const Graph& graph, int id) {
    std::vector<bool>& outputs = depends_[stretch_.index(id)];
    outputs.resize(graph.node(id).outputs.size());
    return outputs;
  }

  void add_node(const Graph& graph, int id) {
    const Node& node = graph.node(id);
    if (std::ranges::none_of(node.inputs, [&](const Value& input) { return passes(input); })) return;
    const auto paths = node.op->gradient_paths();
    std::vector<bool>& outputs = outputs_of(graph, id);
    for (std::size_t output = 0; output < outputs.size(); ++output)
      for (std::size_t input = 0; input < node.inputs.size() && !outputs[output]; ++input)
        outputs[output] = passes(node.inputs[input]) && (paths.empty() || paths[output][input]);
  }

  Stretch stretch_;
  std::vector<std::vector<bool>> depends_;  ///< by node and output; empty for none
};

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
  for (const Value& value : wrt) {
    at.check(value && value.dtype() == f32, "each value must be f32, one is {}",
             value ? to_string(value.type()) : "empty");
    at.check(
        &value.graph() == &graph,
        "{} is not of the loss's graph; a step of a loop knows a value of the graph around it by a name of its own: "
        "differentiate by loss.graph().import(value)",
        to_string(value.type()));
  }
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
  Stretch stretch{.first = graph.size()};
  for (const Seed& seed : seeds) stretch.last = std::max(stretch.last, seed.value.node());
  for (const Value& value : wrt) stretch.first = std::min(stretch.first, value.node());
  const Dependents dependents(graph, stretch, wrt);
  Adjoints adjoints(stretch);
  for (const Seed& seed : seeds)
    if (dependents.passes(seed.value)) adjoints.add(seed.value, seed.gradient);
  for (int id = stretch.last; id >= stretch.first; --id) {
    if (!dependents.contains(id) || !adjoints.any(id)) continue;
    const Node& node = graph.node(id);
    GradientContext context;
    bool wanted = false;
    for (const Value& input : node.inputs) {
      context.input_needed.push_back(dependents.passes(input));
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
    if (!stretch.contains(value.node())) continue;
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

Value dense_gradient(Value loss, Value wrt, SourceLocation where) { return dense_gradients(loss, {wrt}, where)[0]; }

}  // namespace eddy
