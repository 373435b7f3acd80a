// SPDX-License-Identifier: Apache-2.0
#include "eddy/graph/graph.h"

#include "eddy/graph/builtin.h"
#include "eddy/graph/user_line.h"

namespace eddy {
namespace {

/// Holds the line that this thread builds for, if any.
thread_local const Origin* current_line = nullptr;

}  // namespace

SourceLocation user_line(SourceLocation at) {
  if (current_line == nullptr || current_line->file.empty()) return at;
  return SourceLocation::current(current_line->file.data(), current_line->line);
}

Origin user_origin(SourceLocation where) {
  const SourceLocation line = user_line(where);
  return {.file = line.file_name(), .line = line.line(), .scope = {}};
}

void Value::fail_empty() { fail<GraphError>("an empty value was used"); }

const TensorType& Value::type() const { return graph().node(node_).outputs[static_cast<std::size_t>(output_)]; }

std::vector<TensorType> input_types(const Node& node) {
  std::vector<TensorType> types;
  types.reserve(node.inputs.size());
  for (const Value& input : node.inputs) types.push_back(input.type());
  return types;
}

std::vector<Alias> aliases_of(const Node& node) { return node.op->aliases(input_types(node), node.outputs); }

namespace {

/// A one-to-one map without order: the random streams of loops within loops shall not meet (murmur3's finaliser).
std::uint32_t scramble(std::uint32_t x) {
  x = (x ^ x >> 16) * 0x85ebca6bU;
  x = (x ^ x >> 13) * 0xc2b2ae35U;
  return x ^ x >> 16;
}

}  // namespace

Graph::Graph(Graph& outer)
    : scope_(outer.scope_),
      outer_(&outer),
      depth_(outer.depth_ + 1),
      first_stream_(scramble(outer.first_stream_ ^ scramble(static_cast<std::uint32_t>(outer.size()) + 1))) {}

Value Graph::input(std::string name, DType dtype, const Shape& shape, SourceLocation where) {
  if (inputs_.contains(name)) throw GraphError("input", fmt::format("'{}' already exists", name), origin(where));
  const Value value = add_node(*this, InputOp(name, {dtype, shape}), {}, where);
  inputs_.emplace(std::move(name), value);
  return value;
}

Value Graph::constant(const Tensor& tensor, SourceLocation where) {
  require_at(static_cast<bool>(tensor), where, ConstantOp::kName, "the tensor is empty");
  return add_node(*this, ConstantOp(tensor.clone()), {}, where);
}

Value Graph::constant(float value, SourceLocation where) { return constant(Tensor::scalar(value), where); }

Value Graph::variable(const std::shared_ptr<Variable>& variable, SourceLocation where) {
  require_at(variable && variable->value, where, VariableOp::kName, "the variable {}",
             variable ? fmt::format("'{}' has no value", variable->name) : "is null: the store has none of that name");
  if (outer_ != nullptr) return import(outer_->variable(variable, where));
  const auto found = variables_.find(variable.get());
  if (found != variables_.end()) return found->second;
  const Value value = add_node(*this, VariableOp(variable), {}, where);
  variables_.emplace(variable.get(), value);
  return value;
}

Origin Graph::origin(SourceLocation where) const {
  if (pinned_origin_ != nullptr) return *pinned_origin_;
  Origin result = user_origin(where);
  result.scope = scope_;
  return result;
}

bool Graph::is_inside(const Graph& other) const {
  for (const Graph* graph = outer_; graph != nullptr; graph = graph->outer_)
    if (graph == &other) return true;
  return false;
}

Value Graph::import(Value value) {
  require<GraphError>(static_cast<bool>(value), "an empty value was used");
  if (&value.graph() == this) return value;
  if (const Value known = captured(value)) return known;
  require<GraphError>(is_inside(value.graph()), "{} belongs to another graph", value.type());
  const Node& node = value.graph().node(value.node());
  const Value outer = outer_->import(value);
  Value inner = captured(outer);
  if (!inner) {
    const std::string name = fmt::format("capture{}", inputs_.size());
    nodes_.push_back({std::make_shared<InputOp>(name, value.type()), {}, {value.type()}, node.origin});
    inner = {this, size() - 1, 0};
    inputs_.emplace(name, inner);
    note_capture({outer, inner});
  }
  if (outer != value) note_capture({value, inner});
  return inner;
}

Value Graph::captured(const Value& value) const {
  const auto known = captured_.find({&value.graph(), value.node(), value.output()});
  return known != captured_.end() ? known->second : Value();
}

void Graph::note_capture(const Capture& capture) {
  captures_.push_back(capture);
  captured_.emplace(std::tuple(&capture.outer.graph(), capture.outer.node(), capture.outer.output()), capture.inner);
}

Value Graph::add(std::shared_ptr<const Op> op, std::vector<Value> inputs, SourceLocation where) {
  Graph* innermost = this;
  for (const Value& input : inputs)
    if (input && input.graph().depth_ > innermost->depth_ && input.graph().is_inside(*this)) innermost = &input.graph();
  if (innermost != this) return innermost->add(std::move(op), std::move(inputs), where);
  std::vector<TensorType> types;
  types.reserve(inputs.size());
  Origin from = origin(where);
  try {
    for (Value& input : inputs) {
      require<GraphError>(static_cast<bool>(input), "argument {} is an empty value", types.size());
      require<GraphError>(
          !input.graph().closed(),
          "argument {} is a value of a loop's step, which has ended; expected one that the step returns", types.size());
      require<GraphError>(&input.graph() == this || is_inside(input.graph()), "argument {} belongs to another graph",
                          types.size());
      input = import(input);
      types.push_back(input.type());
    }
    std::vector<TensorType> outputs = op->infer(types);
    // Sizes that an op set one by one are checked as those of a new shape are.
    for (const TensorType& type : outputs) Shape(std::span(type.shape.begin(), type.shape.end()));
    nodes_.push_back({std::move(op), std::move(inputs), std::move(outputs), std::move(from)});
  } catch (const GraphError& error) {
    throw error.within(op->name(), from);
  }
  return {this, size() - 1, 0};
}

std::vector<Value> Graph::outputs(Value value) {
  std::vector<Value> result;
  Graph& graph = value.graph();
  const auto count = graph.node(value.node()).outputs.size();
  result.reserve(count);
  for (int i = 0; i < static_cast<int>(count); ++i) result.emplace_back(&graph, value.node(), i);
  return result;
}

std::vector<Value> Graph::variables() const {
  std::map<int, Value> ordered;
  for (const auto& [variable, value] : variables_) ordered.emplace(value.node(), value);
  std::vector<Value> result;
  result.reserve(ordered.size());
  for (const auto& [id, value] : ordered) result.push_back(value);
  return result;
}

std::vector<Value> Graph::parameters() const {
  std::vector<Value> result = variables();
  std::erase_if(result, [](const Value& value) { return !variable_of(value)->trainable; });
  return result;
}

Value Graph::copy(const Node& node, std::vector<Value> inputs) {
  nodes_.push_back({node.op, std::move(inputs), node.outputs, node.origin});
  const Value value{this, size() - 1, 0};
  if (const auto* variable = dynamic_cast<const VariableOp*>(node.op.get()))
    variables_.emplace(variable->variable.get(), value);
  if (const auto* input = dynamic_cast<const InputOp*>(node.op.get())) inputs_.emplace(input->label, value);
  return value;
}

NameScope::NameScope(Graph& graph, std::string_view name) : graph_(graph), outer_length_(graph.scope_.size()) {
  if (!graph.scope_.empty()) graph.scope_ += '/';
  graph.scope_ += name;
}

OriginScope::OriginScope(SourceLocation where)
    : line_before_(current_line), origin_{where.file_name(), where.line(), {}} {
  if (current_line == nullptr) current_line = &origin_;
}

OriginScope::OriginScope(Graph& graph, Origin origin) : line_before_(current_line), origin_(std::move(origin)) {
  if (graph.pinned_origin_ != nullptr) return;
  pinned_ = &graph;
  graph.pinned_origin_ = current_line = &origin_;
}

OriginScope::~OriginScope() {
  if (pinned_ != nullptr) pinned_->pinned_origin_ = nullptr;
  current_line = line_before_;
}

}  // namespace eddy
