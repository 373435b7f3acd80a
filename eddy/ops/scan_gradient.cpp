// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "eddy/graph/aliases.h"
#include "eddy/graph/builtin.h"
#include "eddy/graph/gradient.h"
#include "eddy/ops/add.h"
#include "eddy/ops/scan_op.h"
#include "eddy/ops/scan_paths.h"
#include "eddy/ops/slice.h"

namespace eddy {
namespace {

/// Where values stand in a list: the first place of each, or the size of the list.
class Places {
 public:
  explicit Places(const std::vector<Value>& values) : none_(values.size()) {
    for (std::size_t i = 0; i < values.size(); ++i) places_.emplace(place_of(values[i]), i);
  }
  std::size_t of(const Value& value) const {
    const auto found = places_.find(place_of(value));
    return found == places_.end() ? none_ : found->second;
  }

 private:
  std::map<Place, std::size_t> places_;
  std::size_t none_;
};

/// The reverse loop while it is built: the forward body's nodes with the gradient's after them in one graph (`work`),
/// from which the body of the reverse loop takes what its results need.
class ReverseLoop {
 public:
  ReverseLoop(const ScanOp& op, const GradientContext& context, bool recompute)
      : op_(op), forward_(op.body()), context_(context), recompute_(recompute) {
    // Into an empty graph, every node keeps its number: values of the two graphs correspond by node and output.
    for (int id = 0; id < forward_.graph->size(); ++id) {
      const Node& node = forward_.graph->node(id);
      std::vector<Value> inputs;
      for (const Value& input : node.inputs) inputs.push_back(in_work(input));
      work_.copy(node, std::move(inputs));
    }
  }

  std::vector<Gradient> build() {
    differentiate();
    make_states();
    std::vector<Gradient> result(context_.inputs.size());
    collect_results();
    // No way leads from the gradients that arrived to what is asked for.
    if (states_.empty() && finishers_.empty()) return result;
    body_->stack_everything();
    const ScanOp reverse(body_, op_.time(), !op_.reverse(), recompute_);
    node_ = Graph::outputs(add_scan(outer(), reverse, sequences_, initial_, captures_));
    for (std::size_t i = 0; i < states_.size(); ++i) {
      // Slot of the history that holds the initial state.
      const std::int64_t slot = op_.reverse() ? op_.time() : 0;
      std::vector<Gradient> parts;
      if (arriving_.before[states_[i]]) parts.emplace_back(node_[i]);
      if (const Value history = d_history(states_[i])) parts.emplace_back(at(history, slot));
      if (!parts.empty()) result[forward_.sequences.size() + states_[i]] = sum(parts);
    }
    for (const auto& [input, finish] : finishers_) result[input] = finish(reverse);
    return result;
  }

 private:
  Graph& outer() { return context_.in(0).graph(); }
  Value in_work(const Value& value) { return {&work_, value.node(), value.output()}; }
  Value d_out(std::size_t output) const { return context_.output_gradients[output]; }
  Value d_history(std::size_t state) const { return d_out(op_.first_history() + state); }

  /// An input of `work` for a gradient that arrives from outside; `supply` says what it is in the reverse loop.
  enum class Supply { state, sequence, capture };
  Value arriving(const TensorType& type, Supply supply, Value value) {
    const Value input = work_.input(fmt::format("arriving{}", arrivals_.size()), type.dtype, type.shape);
    arrivals_.push_back({input, supply, value});
    return input;
  }

  bool leads_to_needed(const std::vector<bool>& inputs) const {
    for (std::size_t i = 0; i < inputs.size(); ++i)
      if (inputs[i] && context_.needs(static_cast<int>(i))) return true;
    return false;
  }

  /// Which states gradients come to: one that arrives as zeros only could still meet an infinite derivative.
  StateGradients arriving_gradients() const {
    std::vector<Value> values;
    for (std::size_t i = 0; i < forward_.stacked.size(); ++i)
      if (d_out(op_.first_stacked() + i)) values.push_back(forward_.stacked[i]);
    for (std::size_t i = 0; i < forward_.summed.size(); ++i)
      if (d_out(op_.first_sum() + i)) values.push_back(forward_.summed[i]);
    std::vector<bool> after(forward_.states.size());
    for (std::size_t i = 0; i < after.size(); ++i) after[i] = d_out(i) || d_history(i);
    return gradients_of_states(forward_, values, std::move(after));
  }

  void differentiate() {
    std::vector<Seed> seeds;
    arriving_ = arriving_gradients();
    const std::vector<std::vector<bool>> paths = op_.gradient_paths();
    for (std::size_t i = 0; i < forward_.states.size(); ++i) {
      // Of a state that leads to nothing needed, no step's gradient is asked for: it need not have one.
      if (forward_.states[i].dtype() != f32 || !arriving_.after[i] || !leads_to_needed(paths[i])) continue;
      states_.push_back(i);
      const TensorType& type = forward_.states[i].type();
      const Value final = d_out(i);
      seeds.push_back(
          {in_work(forward_.next[i]), arriving(type, Supply::state, final ? final : full(outer(), type, 0.0f))});
      const Value history = d_history(i);
      if (!history) continue;
      const std::int64_t time = op_.time();
      const Value after = op_.reverse() ? slice(history, 0, 0, time) : slice(history, 0, 1, time + 1);
      seeds.push_back({in_work(forward_.next[i]), arriving(type, Supply::sequence, after)});
    }
    for (std::size_t i = 0; i < forward_.stacked.size(); ++i)
      if (const Value d = d_out(op_.first_stacked() + i))
        seeds.push_back({in_work(forward_.stacked[i]), arriving(forward_.stacked[i].type(), Supply::sequence, d)});
    for (std::size_t i = 0; i < forward_.summed.size(); ++i)
      if (const Value d = d_out(op_.first_sum() + i))
        seeds.push_back({in_work(forward_.summed[i]), arriving(forward_.summed[i].type(), Supply::capture, d)});
    forward_nodes_ = forward_.graph->size();

    std::vector<Value> wrt;
    for (const std::size_t i : states_) wrt.push_back(in_work(forward_.states[i]));
    std::size_t next = 0;
    const auto want = [&](const Value& input) {
      if (context_.needs(static_cast<int>(next))) {
        wrt.push_back(in_work(input));
        wanted_.push_back(next);
      }
      ++next;
    };
    for (const Value& input : forward_.sequences) want(input);
    next += forward_.states.size();
    for (const Value& input : forward_.captures) want(input);
    gradients_ = backpropagate(seeds, wrt);
  }

  /// The running gradients of the states come first among the reverse loop's states.
  void make_states() {
    for (const Arrival& arrival : arrivals_) {
      if (arrival.supply != Supply::state) continue;
      const Value input = add_input(body_->states, arrival.input.type());
      copied_.use(arrival.input, input);
      initial_.push_back(arrival.value);
    }
  }

  void collect_results() {
    for (std::size_t i = 0; i < states_.size(); ++i) {
      const Value state = in_work(forward_.states[states_[i]]);
      const Gradient& d = gradients_[i];
      body_->next.push_back(d.empty() ? full(*body_->graph, state.type(), 0.0f) : needed(d.dense(state)));
    }
    for (std::size_t i = 0; i < wanted_.size(); ++i) {
      const Gradient& d = gradients_[states_.size() + i];
      if (d.empty()) continue;
      const std::size_t input = wanted_[i];
      if (input < forward_.sequences.size()) {
        const std::size_t at = stack(needed(d.dense(in_work(forward_.sequences[input]))));
        finishers_.emplace_back(input, [this, at](const ScanOp& reverse) { return stacked(reverse, at); });
      } else {
        collect_capture(input, d);
      }
    }
  }

  /// The dense part of a capture's gradient is added up in the loop; the rows of its sparse parts are kept.
  void collect_capture(std::size_t input, const Gradient& d) {
    std::optional<std::size_t> total;
    if (d.dense_part()) {
      total = body_->summed.size();
      body_->summed.push_back(needed(d.dense_part()));
    }
    std::vector<std::pair<std::size_t, std::size_t>> rows;
    for (const RowSparse& part : d.sparse_parts())
      rows.emplace_back(stack(needed(part.indices)), stack(needed(part.rows)));
    finishers_.emplace_back(input, [this, total, rows](const ScanOp& reverse) {
      std::vector<Gradient> parts;
      if (total) parts.emplace_back(node_[reverse.first_sum() + *total]);
      for (const auto& [indices, values] : rows)
        parts.emplace_back(RowSparse{.indices = stacked(reverse, indices), .rows = stacked(reverse, values)});
      return sum(parts);
    });
  }

  std::size_t stack(const Value& value) {
    body_->stacked.push_back(value);
    return body_->stacked.size() - 1;
  }
  Value stacked(const ScanOp& reverse, std::size_t index) const { return node_[reverse.first_stacked() + index]; }

  Value add_input(std::vector<Value>& list, const TensorType& type) {
    const Value input = body_->graph->input(fmt::format("input{}", inputs_++), type.dtype, type.shape);
    list.push_back(input);
    return input;
  }
  Value add_sequence(const TensorType& type, const Value& from) {
    sequences_.push_back(from);
    return add_input(body_->sequences, type);
  }

  /// `value` of `work` in the reverse loop's body.
  Value needed(const Value& value) {
    const auto skip = [this](const Value& at) {
      if (copied_.knows(at)) return true;
      const Value input = supplied(at);
      if (input) copied_.use(at, input);
      return static_cast<bool>(input);
    };
    visit_inputs_first(value, skip, [this](const Value& at) { copied_.copy(at); });
    return copied_.copy(value);
  }

  /// The input of the reverse loop that gives a value of `work`; empty for one that must be computed.
  Value supplied(const Value& value) {
    const auto arrival = std::ranges::find(arrivals_, value, &Arrival::input);
    if (arrival == arrivals_.end()) return value.node() < forward_nodes_ ? from_forward(value) : Value();
    if (arrival->supply != Supply::capture) return add_sequence(value.type(), arrival->value);
    captures_.push_back(arrival->value);
    return add_input(body_->captures, value.type());
  }

  /// A value of the forward step: an input of the loop again, saved by the forward loop, or (empty) computed again.
  Value from_forward(const Value& value) {
    // Values of the two graphs correspond.
    std::size_t i = sequence_places_.of(value);
    if (i < forward_.sequences.size()) return add_sequence(value.type(), context_.inputs[i]);
    i = capture_places_.of(value);
    if (i < forward_.captures.size()) {
      captures_.push_back(context_.inputs[forward_.sequences.size() + forward_.states.size() + i]);
      return add_input(body_->captures, value.type());
    }
    i = state_places_.of(value);
    if (i < forward_.states.size()) return add_sequence(value.type(), states_before_steps(history(i), op_.reverse()));
    const Node& node = node_of(value);
    if (node.inputs.empty() || is_view(node)) return {};
    i = next_places_.of(value);
    if (i < forward_.next.size()) return add_sequence(value.type(), states_before_steps(history(i), !op_.reverse()));
    i = stacked_places_.of(value);
    if (recompute_ || i == forward_.stacked.size()) return {};
    return add_sequence(value.type(), context_.outputs[op_.first_stacked() + i]);
  }

  Value history(std::size_t state) const { return context_.outputs[op_.first_history() + state]; }

  struct Arrival {
    Value input;
    Supply supply;
    Value value;
  };

  const ScanOp& op_;
  const ScanBody& forward_;
  const Places sequence_places_{forward_.sequences}, capture_places_{forward_.captures};
  const Places state_places_{forward_.states}, next_places_{forward_.next}, stacked_places_{forward_.stacked};
  const GradientContext& context_;
  bool recompute_;
  Graph work_;
  int forward_nodes_ = 0;
  std::vector<Arrival> arrivals_;
  StateGradients arriving_;
  std::vector<std::size_t> states_;  ///< those with a gradient
  std::vector<std::size_t> wanted_;  ///< inputs of the node whose gradients are asked for, but for states
  std::vector<Gradient> gradients_;  ///< of states_, then of wanted_
  std::shared_ptr<ScanBody> body_ = std::make_shared<ScanBody>();
  GraphCopier copied_{*body_->graph};
  std::vector<Value> sequences_, initial_, captures_;
  int inputs_ = 0;
  std::vector<std::pair<std::size_t, std::function<Gradient(const ScanOp&)>>> finishers_;
  std::vector<Value> node_;
};

}  // namespace

std::vector<Gradient> ScanOp::gradient(const GradientContext& context) const {
  return ReverseLoop(*this, context, recompute_).build();
}

}  // namespace eddy
