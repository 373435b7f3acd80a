// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/scan_op.h"

#include <algorithm>
#include <set>
#include <utility>

#include "eddy/core/number_text.h"
#include "eddy/graph/builtin.h"
#include "eddy/graph/node_key.h"
#include "eddy/ops/scan_paths.h"
#include "eddy/ops/slice.h"

namespace eddy {
namespace {

/// Constants of more bytes are told apart by their memory, which the body keeps alive: a key is not the place for them.
constexpr std::size_t kLargestInKey = 4096;

std::string key_of(const ScanBody& body, std::int64_t time, bool reverse, bool recompute) {
  std::string key = fmt::format("{} {} {}", time, reverse, recompute);
  const Graph& graph = *body.graph;
  for (int id = 0; id < graph.size(); ++id) {
    const Node& node = graph.node(id);
    const auto* constant = dynamic_cast<const ConstantOp*>(node.op.get());
    if (constant != nullptr && constant->tensor.bytes() > kLargestInKey) {
      key += fmt::format(";constant at {}", fmt::ptr(constant->tensor.data()));
    } else {
      key += key_of(*node.op, node.inputs);
    }
    for (const TensorType& type : node.outputs) key += to_string(type);
  }
  for (const auto* values : {&body.sequences, &body.states, &body.captures, &body.next, &body.stacked, &body.summed})
    key += '|' + key_of(*values);
  return key;
}

void require_type(const TensorType& found, const TensorType& expected, std::string_view what, std::size_t index) {
  require<GraphError>(found == expected, "{} {} is {}, expected {}", what, index, to_string(found),
                      to_string(expected));
}

TensorType with_time(const Value& value, std::int64_t time) { return {value.dtype(), value.shape().inserted(0, time)}; }

}  // namespace

void ScanBody::stack_everything() {
  std::set<Place> known;
  for (const Value& value : stacked) known.insert(place_of(value));
  for (int id = 0; id < graph->size(); ++id) {
    const Node& node = graph->node(id);
    if (node.inputs.empty()) continue;
    for (int output = 0; output < static_cast<int>(node.outputs.size()); ++output) {
      const Value value{graph.get(), id, output};
      const bool is_state = std::ranges::find(next, value) != next.end();
      if (is_state || known.contains(place_of(value)) || value.rank() >= Shape::kMaxRank) continue;
      stacked.push_back(value);
    }
  }
}

ScanOp::ScanOp(std::shared_ptr<const ScanBody> body, std::int64_t time, bool reverse, bool recompute, Stage stage)
    : body_(std::move(body)),
      time_(time),
      reverse_(reverse),
      recompute_(recompute),
      stage_(stage),
      key_(fmt::format("{};{}", static_cast<int>(stage), key_of(*body_, time, reverse, recompute))) {}

std::vector<std::vector<bool>> ScanOp::gradient_paths() const { return paths_of_gradients(*body_); }

std::vector<TensorType> ScanOp::infer(std::span<const TensorType> inputs) const {
  const ScanBody& b = *body_;
  require<GraphError>(time_ >= 1, "a loop needs at least one step, not {}", time_);
  require<GraphError>(inputs.size() == b.sequences.size() + b.states.size() + b.captures.size(),
                      "{} given, expected {}", counted(std::ssize(inputs), "input"),
                      b.sequences.size() + b.states.size() + b.captures.size());
  std::size_t next = 0;
  for (std::size_t i = 0; i < b.sequences.size(); ++i)
    require_type(inputs[next++], with_time(b.sequences[i], time_), "sequence", i);
  for (std::size_t i = 0; i < b.states.size(); ++i)
    require_type(inputs[next++], b.states[i].type(), "initial state", i);
  for (std::size_t i = 0; i < b.captures.size(); ++i) require_type(inputs[next++], b.captures[i].type(), "capture", i);
  std::vector<TensorType> outputs;
  for (std::size_t i = 0; i < b.states.size(); ++i) {
    require_type(b.next[i].type(), b.states[i].type(), "after one step, state", i);
    outputs.push_back(b.states[i].type());
  }
  for (const Value& state : b.states) outputs.push_back(with_time(state, time_ + 1));
  for (const Value& value : b.stacked) outputs.push_back(with_time(value, time_));
  for (const Value& value : b.summed) outputs.push_back(value.type());
  return outputs;
}

Cost ScanOp::cost(std::span<const TensorType>, std::span<const TensorType>) const {
  Cost sum;
  const Graph& graph = *body_->graph;
  for (int id = 0; id < graph.size(); ++id) {
    const Node& node = graph.node(id);
    const Cost cost = node.op->cost(input_types(node), node.outputs);
    sum.flops += cost.flops * static_cast<double>(time_);
    sum.bytes += cost.bytes * static_cast<double>(time_);
  }
  return sum;
}

std::string ScanOp::attribute_text() const {
  return fmt::format("time={}, reverse={}, body={}", time_, reverse_, counted(body_->graph->size(), "node"));
}

Value add_scan(Graph& graph, const ScanOp& op, std::span<const Value> sequences, std::span<const Value> initial,
               std::span<const Value> captures, SourceLocation where) {
  std::vector<Value> inputs(sequences.begin(), sequences.end());
  inputs.insert(inputs.end(), initial.begin(), initial.end());
  inputs.insert(inputs.end(), captures.begin(), captures.end());
  return graph.add(std::make_shared<const ScanOp>(op), std::move(inputs), where);
}

Value states_before_steps(Value history, bool reverse) {
  const std::int64_t slots = history.dim(0);
  return reverse ? slice(history, 0, 1, slots) : slice(history, 0, 0, slots - 1);
}

void GraphCopier::use(const Value& original, const Value& instead) { known_[place_of(original)] = instead; }

bool GraphCopier::knows(const Value& original) const { return known_.contains(place_of(original)); }

Value GraphCopier::copy(const Value& original) {
  const auto copy_node = [this](const Value& value) {
    const Node& node = node_of(value);
    std::vector<Value> inputs;
    for (const Value& input : node.inputs) inputs.push_back(known_.at(place_of(input)));
    for (const Value& output : Graph::outputs(to_.copy(node, std::move(inputs))))
      known_.emplace(Place{value.node(), output.output()}, output);
  };
  visit_inputs_first(
      original, [this](const Value& value) { return knows(value); }, copy_node);
  return known_.at(place_of(original));
}

}  // namespace eddy
