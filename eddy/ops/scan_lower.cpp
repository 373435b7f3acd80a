// SPDX-License-Identifier: Apache-2.0
// What makes a loop of small steps as fast as a hand-written one: work that does not depend on the states leaves it.
#include <algorithm>
#include <functional>
#include <map>
#include <memory>

#include "eddy/graph/aliases.h"
#include "eddy/graph/builtin.h"
#include "eddy/ops/scan_clean_body.h"
#include "eddy/ops/scan_op.h"

namespace eddy {
namespace {

/// Worth a product over all steps instead of one a step: many operations for each element of the result.
bool is_heavy(const Node& node) {
  double elements = 0;
  for (const TensorType& type : node.outputs) elements += static_cast<double>(type.shape.elements());
  return elements > 0 && node.op->cost(input_types(node), node.outputs).flops >= 8 * elements;
}

/// Builds a value of the surrounding graph once the new loop is there.
using Builder = std::function<Value()>;

class Lowering {
 public:
  /// With `literals` those that the loop captures become its own.
  Lowering(const ScanOp& op, std::span<const Value> inputs, const std::vector<bool>& used, const PassSwitches& switches,
           bool literals)
      : op_(op),
        inputs_(inputs),
        used_(used),
        needs_(op, used),
        clean_(op.body(), literals ? captured() : std::span<const Value>(), needs_, switches),
        old_(*clean_.lowered.graph),
        outer_(inputs[0].graph()),
        invariants_(outer_) {
    make_inputs();
  }

  /// Moves work out of the loop. Without `products`, what would need memory for all steps at once stays inside.
  std::vector<Value> move_out(bool products) {
    find_dependence();
    hoist(products);
    plan_results(products);
    body_->stack_everything();
    return finish(ScanOp::Stage::moved);
  }

  /// Only keeps what is needed.
  std::vector<Value> tidy() {
    plan_results(false);
    return finish(ScanOp::Stage::final);
  }

 private:
  std::size_t position(const Value& value) const { return static_cast<std::size_t>(value.node()); }
  std::span<const Value> captured() const { return inputs_.last(op_.body().captures.size()); }

  void make_inputs() {
    const auto make = [&](const std::vector<Value>& from, std::vector<Value>& to, std::vector<Value>* outer,
                          std::size_t first) {
      for (std::size_t i = 0; i < from.size(); ++i) {
        if (!from[i]) continue;
        add_input(from[i], to);
        if (outer != nullptr) outer->push_back(inputs_[first + i]);
      }
    };
    const ScanBody& body = op_.body();
    make(clean_.sequences, body_->sequences, &sequences_, 0);
    for (std::size_t i = 0; i < clean_.sequences.size(); ++i)
      if (clean_.sequences[i]) sequence_inputs_.emplace(place_of(clean_.sequences[i]), inputs_[i]);
    make(clean_.captures, body_->captures, &captures_, body.sequences.size() + body.states.size());
    // A state may be needed though no step reads it: its last value is.
    for (std::size_t i = 0; i < body.states.size(); ++i) {
      if (!needs_.states[i]) continue;
      const Value like = clean_.states[i] ? clean_.states[i] : clean_.next[i];
      const Value input = new_input(like.type(), body_->states);
      if (clean_.states[i]) copier_.use(clean_.states[i], input);
      initial_.push_back(inputs_[body.sequences.size() + i]);
    }
  }

  Value new_input(const TensorType& type, std::vector<Value>& list) {
    const Value input = body_->graph->input(fmt::format("input{}", input_count_++), type.dtype, type.shape);
    list.push_back(input);
    return input;
  }
  void add_input(const Value& old, std::vector<Value>& list) { copier_.use(old, new_input(old.type(), list)); }

  void find_dependence() {
    const auto nodes = static_cast<std::size_t>(old_.size());
    on_state_.assign(nodes, false);
    on_sequence_.assign(nodes, false);
    feeds_state_.assign(nodes, false);
    for (const Value& state : clean_.states)
      if (state) on_state_[position(state)] = true;
    for (const Value& sequence : clean_.sequences)
      if (sequence) on_sequence_[position(sequence)] = true;
    for (int id = 0; id < old_.size(); ++id)
      for (const Value& input : old_.node(id).inputs) {
        const auto index = static_cast<std::size_t>(id);
        on_state_[index] = on_state_[index] || on_state_[position(input)];
        on_sequence_[index] = on_sequence_[index] || on_sequence_[position(input)];
      }
    for (const Value& next : clean_.next)
      if (next) feeds_state_[position(next)] = true;
    for (int id = old_.size() - 1; id >= 0; --id)
      if (feeds_state_[static_cast<std::size_t>(id)])
        for (const Value& input : old_.node(id).inputs) feeds_state_[position(input)] = true;
    for (std::size_t i = 0; i < clean_.sequences.size(); ++i)
      if (clean_.sequences[i]) lifted_[place_of(clean_.sequences[i])] = inputs_[i];
    const std::size_t first = op_.body().sequences.size() + op_.body().states.size();
    for (std::size_t i = 0; i < clean_.captures.size(); ++i)
      if (clean_.captures[i]) invariants_.use(clean_.captures[i], inputs_[first + i]);
  }

  bool is_invariant(const Value& value) const { return !on_state_[position(value)] && !on_sequence_[position(value)]; }

  /// What is the same at every step is computed once before the loop; products of sequences once for all steps.
  void hoist(bool products) {
    for (int id = 0; id < old_.size(); ++id) {
      const Node& node = old_.node(id);
      const Value value{&old_, id, 0};
      if (is_invariant(value)) continue;
      for (const Value& input : node.inputs)
        if (is_invariant(input) && !node_of(input).inputs.empty() && !copier_.knows(input)) {
          const Value once = invariants_.copy(input);
          add_input(input, body_->captures);
          captures_.push_back(once);
        }
      if (!products || on_state_[static_cast<std::size_t>(id)] || node.inputs.empty() || !is_heavy(node)) continue;
      const Value all = lift(value);
      if (!all) continue;
      for (const Value& output : Graph::outputs(value)) {
        add_input(output, body_->sequences);
        sequences_.push_back(lifted_.at(place_of(output)));
      }
    }
  }

  /// A value that depends on sequences only, at all steps at once: [time, …]; empty when an op on the way cannot.
  Value lift(const Value& value) {
    bool possible = true;
    const auto skip = [&](const Value& at) {
      if (!possible || lifted_.contains(place_of(at))) return true;
      if (is_invariant(at)) {
        invariants_.copy(at);
        return true;
      }
      const Node& node = node_of(at);
      possible = !on_state_[position(at)] && !node.inputs.empty() && fits_over_time(node);
      return !possible;
    };
    visit_inputs_first(value, skip, [&](const Value& at) { possible = possible && lift_node(at); });
    return possible ? lifted_.at(place_of(value)) : Value();
  }

  /// Once that is done for the inputs.
  bool lift_node(const Value& value) {
    const Node& node = node_of(value);
    std::vector<Value> inputs;
    for (const Value& input : node.inputs)
      inputs.push_back(is_invariant(input) ? invariants_.copy(input) : lifted_.at(place_of(input)));
    const OriginScope origin(outer_, node.origin);
    const std::vector<Value> outputs = node.op->over_time(time_context(node, inputs));
    for (std::size_t i = 0; i < outputs.size(); ++i) lifted_[{value.node(), static_cast<int>(i)}] = outputs[i];
    return !outputs.empty();
  }

  TimeContext time_context(const Node& node, std::span<const Value> inputs) const {
    TimeContext context{.inputs = inputs, .stepped = {}, .time = op_.time()};
    for (const Value& input : node.inputs) context.stepped.push_back(!is_invariant(input));
    return context;
  }

  /// Whether there is room for one more axis.
  bool fits_over_time(const Node& node) const {
    const auto fits = [](const Shape& shape) { return shape.rank() < Shape::kMaxRank; };
    return std::ranges::all_of(node.outputs, [&](const TensorType& type) { return fits(type.shape); }) &&
           std::ranges::all_of(node.inputs, [&](const Value& in) { return is_invariant(in) || fits(in.shape()); });
  }

  /// Whether `apply`, given such inputs in a graph for trial, yields anything.
  template <class Apply>
  bool can(const Node& node, const Apply& apply) const {
    if (!fits_over_time(node)) return false;
    Graph trial;
    std::vector<Value> inputs;
    for (const Value& input : node.inputs) {
      const Shape shape = is_invariant(input) ? input.shape() : input.shape().inserted(0, op_.time());
      inputs.push_back(trial.input(fmt::format("input{}", inputs.size()), input.dtype(), shape));
    }
    return apply(time_context(node, inputs));
  }

  void plan_results(bool move) {
    for (const Value& next : clean_.next)
      if (next) body_->next.push_back(copier_.copy(next));
    for (const Value& value : clean_.stacked) {
      Builder builder = value && move ? sink(value) : nullptr;
      stacked_.push_back(value && !builder ? outside(value) : builder);
    }
    for (const Value& value : clean_.summed)
      sums_.push_back(!value ? Builder() : move ? sum_outside(value) : sum_inside(value));
  }

  /// The value at all steps, from the loop's inputs and results: [time, …], or as it is when it is the same always.
  Builder outside(const Value& value) {
    const auto lifted = lifted_.find(place_of(value));
    if (lifted != lifted_.end()) return [all = lifted->second] { return all; };
    if (const auto sequence = sequence_inputs_.find(place_of(value)); sequence != sequence_inputs_.end())
      return [all = sequence->second] { return all; };
    std::size_t index = 0;
    for (std::size_t i = 0; i < clean_.next.size(); ++i) {
      if (!clean_.next[i]) continue;
      if (clean_.states[i] == value)
        return [this, index] { return states_before_steps(history(index), op_.reverse()); };
      if (clean_.next[i] == value) return [this, index] { return states_before_steps(history(index), !op_.reverse()); };
      ++index;
    }
    const Value inside = copier_.copy(value);
    const auto [known, fresh] = stacked_places_.emplace(place_of(inside), body_->stacked.size());
    const std::size_t at = known->second;
    if (fresh) body_->stacked.push_back(inside);
    return [this, at] { return node_[first_stacked() + at]; };
  }

  Value history(std::size_t state) const { return node_[body_->states.size() + state]; }
  std::size_t first_stacked() const { return 2 * body_->states.size(); }

  std::vector<Builder> outside_inputs(const Node& node) {
    std::vector<Builder> builders;
    for (const Value& input : node.inputs) {
      if (is_invariant(input)) {
        builders.push_back([once = invariants_.copy(input)] { return once; });
      } else {
        builders.push_back(outside(input));
      }
    }
    return builders;
  }

  /// For a product that no later step depends on: all steps of it at once, after the loop. Null for anything else.
  Builder sink(const Value& value) {
    const Node& node = node_of(value);
    if (feeds_state_[position(value)] || node.inputs.empty() || is_invariant(value)) return nullptr;
    std::vector<Builder> inputs;
    if (is_view(node) && node.inputs.size() == 1) {
      inputs.push_back(sink(node.inputs[0]));
      if (!inputs[0]) return nullptr;
    } else if (!is_heavy(node)) {
      return nullptr;
    }
    if (!can(node, [&](const TimeContext& context) { return !node.op->over_time(context).empty(); })) return nullptr;
    if (inputs.empty()) inputs = outside_inputs(node);
    return [this, value, inputs] {
      const Node& at = node_of(value);
      const std::vector<Value> built = build(inputs);
      const OriginScope origin(outer_, at.origin);
      return at.op->over_time(time_context(at, built))[static_cast<std::size_t>(value.output())];
    };
  }

  /// The sum of a value over the steps. One that is wanted again, as in sums of sums, is found and built once.
  Builder sum_outside(const Value& value) {
    if (const auto known = sum_builders_.find(place_of(value)); known != sum_builders_.end()) return known->second;
    Builder once = [this, place = place_of(value), build = new_sum_outside(value)] {
      Value& sum = built_sums_[place];
      if (!sum) sum = build();
      return sum;
    };
    return sum_builders_.emplace(place_of(value), std::move(once)).first->second;
  }

  /// Where possible, products and sums over all steps at once, after the loop.
  Builder new_sum_outside(const Value& value) {
    const Node& node = node_of(value);
    if (is_invariant(value) || node.inputs.empty()) return sum_inside(value);
    if (node.op->name() == "add_n") {
      std::vector<Builder> terms;
      for (const Value& input : node.inputs) terms.push_back(sum_outside(input));
      return [terms] { return add_n(build(terms)); };
    }
    if ((is_view(node) || node.op->name() == "transpose") && node.inputs.size() == 1) {
      Builder input = sum_outside(node.inputs[0]);
      return [this, value, input] {
        const Node& at = node_of(value);
        const Value total = input();
        const OriginScope origin(outer_, at.origin);
        const Value view = outer_.add(at.op, {total}, SourceLocation::current());
        return Graph::outputs(view)[static_cast<std::size_t>(value.output())];
      };
    }
    if (!can(node, [&](const TimeContext& c) { return static_cast<bool>(node.op->summed_over_time(c)); }))
      return sum_inside(value);
    const std::vector<Builder> inputs = outside_inputs(node);
    return [this, value, inputs] {
      const Node& at = node_of(value);
      const std::vector<Value> built = build(inputs);
      const OriginScope origin(outer_, at.origin);
      return at.op->summed_over_time(time_context(at, built));
    };
  }

  Builder sum_inside(const Value& value) {
    const std::size_t index = body_->summed.size();
    body_->summed.push_back(copier_.copy(value));
    return [this, index] { return node_[first_stacked() + body_->stacked.size() + index]; };
  }

  static std::vector<Value> build(const std::vector<Builder>& builders) {
    std::vector<Value> values;
    for (const Builder& builder : builders) values.push_back(builder());
    return values;
  }

  std::vector<Value> finish(ScanOp::Stage stage) {
    if (!body_->next.empty() || !body_->stacked.empty() || !body_->summed.empty()) {
      // Steps that read nothing still have a node, and that a graph to stand in.
      if (sequences_.empty() && initial_.empty() && captures_.empty()) {
        new_input(inputs_[0].type(), body_->captures);
        captures_.push_back(inputs_[0]);
      }
      const ScanOp op(body_, op_.time(), op_.reverse(), false, stage);
      node_ = Graph::outputs(add_scan(outer_, op, sequences_, initial_, captures_));
    }
    std::vector<Value> result(used_.size());
    std::size_t index = 0;
    for (std::size_t i = 0; i < clean_.next.size(); ++i) {
      if (!clean_.next[i]) continue;
      result[i] = node_[index];
      result[op_.first_history() + i] = history(index++);
    }
    for (std::size_t i = 0; i < stacked_.size(); ++i)
      if (stacked_[i]) result[op_.first_stacked() + i] = stacked_[i]();
    for (std::size_t i = 0; i < sums_.size(); ++i)
      if (sums_[i]) result[op_.first_sum() + i] = sums_[i]();
    return result;
  }

  const ScanOp& op_;
  std::span<const Value> inputs_;
  const std::vector<bool>& used_;
  ScanNeeds needs_;
  CleanScanBody clean_;
  Graph& old_;    ///< the clean body
  Graph& outer_;  ///< the graph the loop stands in
  std::shared_ptr<ScanBody> body_ = std::make_shared<ScanBody>();
  GraphCopier copier_{*body_->graph};  ///< from the clean body to the new one
  GraphCopier invariants_;             ///< from the clean body to the surrounding graph
  std::vector<Value> sequences_, initial_, captures_;
  int input_count_ = 0;
  std::vector<bool> on_state_, on_sequence_, feeds_state_;  ///< by node of the clean body
  std::map<Place, Value> lifted_;
  std::map<Place, Value> sequence_inputs_;       ///< the node's inputs by what they are in the clean body
  std::map<Place, std::size_t> stacked_places_;  ///< by value of the new body
  std::vector<Builder> stacked_, sums_;
  std::map<Place, Builder> sum_builders_;  ///< by value of the clean body
  std::map<Place, Value> built_sums_;
  std::vector<Value> node_;
};

}  // namespace

std::vector<Value> ScanOp::lower(std::span<const Value> inputs, const std::vector<bool>& used,
                                 const PassSwitches& switches) const {
  PassSwitches inside = switches;
  // ScanNeeds leaves out what only dead nodes read, so these must go before they are fused with live ones.
  inside.prune = true;
  if (stage_ == Stage::traced) {
    inside.fuse = false;
    return Lowering(*this, inputs, used, inside, true).move_out(!recompute_);
  }
  if (stage_ == Stage::moved) return Lowering(*this, inputs, used, inside, false).tidy();
  return {};
}

}  // namespace eddy
