// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/scan.h"

#include <algorithm>
#include <memory>
#include <set>
#include <utility>

#include "eddy/graph/aliases.h"
#include "eddy/graph/builder_scope.h"
#include "eddy/graph/builtin.h"
#include "eddy/graph/user_line.h"
#include "eddy/ops/compare.h"
#include "eddy/ops/reshape.h"
#include "eddy/ops/scan_op.h"
#include "eddy/ops/slice.h"
#include "eddy/ops/stop_gradient.h"
#include "eddy/ops/where.h"

namespace eddy {
namespace {

constexpr std::string_view kScan = "scan";

TensorType one_step(const Value& sequence) { return {sequence.dtype(), sequence.shape().removed(0)}; }

std::string names_of(const State& state) {
  std::string names;
  for (const auto& [name, value] : state) names += (names.empty() ? "" : ", ") + name;
  return names.empty() ? "none" : names;
}

/// Traces one step into a body, and turns masks and truncation into nodes of it.
class Tracer {
 public:
  Tracer(const std::vector<Value>& sequences, const State& initial, const ScanOptions& options, SourceLocation where)
      : initial_(initial), options_(options), sequences_(sequences), where_(where) {
    check();
    find_outer();
    body_->graph = std::make_unique<Graph>(outer());
    surrounding_ = std::exchange(traced, body_->graph.get());
  }
  ~Tracer() { traced = surrounding_; }
  Tracer(const Tracer&) = delete;
  Tracer& operator=(const Tracer&) = delete;

  ScanResult trace(const StepFunction& function) {
    require_that(static_cast<bool>(function), "the step is an empty function");
    require_that(!function.is_of_one() || sequences_.size() == 1,
                 "the step is a function of one Value, but there are {} sequences; expected a function of "
                 "std::span<const Value>",
                 sequences_.size());
    for (const Value& sequence : sequences_) add_sequence(sequence);
    const std::vector<Value> inputs = body_->sequences;
    State before;
    for (const auto& [name, value] : initial_) {
      const Value state = graph().input("state:" + name, value.dtype(), value.shape(), where_);
      body_->states.push_back(state);
      before.set(name, state);
    }
    const State seen = options_.truncate > 0 ? truncated(before) : before;
    note_sizes();
    Step step = function(inputs, seen, where_);
    check_no_updates();
    const OriginScope origin(where_);
    bring_in(step);
    if (options_.mask) apply_mask(step, before);
    body_->next.clear();
    for (const auto& [name, value] : initial_) body_->next.push_back(step.state[name]);
    body_->stack_everything();
    if (step.output) stack(step.output);
    for (const auto& [name, value] : step.outputs) stack(value);
    return finish(step);
  }

 private:
  Graph& graph() { return *body_->graph; }
  Graph& outer() { return *outer_; }
  Operand here(const Value& value) const { return {value, where_}; }

  template <class... Args>
  void require_that(bool condition, fmt::format_string<Args...> format, Args&&... args) const {
    require_at(condition, where_, kScan, format, std::forward<Args>(args)...);
  }

  /// A loop inside the step of another belongs to that step, whatever it runs over, unless that has nothing to do with
  /// the graph it is built in.
  void find_outer() {
    outer_ = &sequences_[0].graph();
    for (const Value& sequence : sequences_)
      if (sequence.graph().depth() > outer_->depth()) outer_ = &sequence.graph();
    for (const auto& [name, value] : initial_)
      if (value.graph().depth() > outer_->depth()) outer_ = &value.graph();
    if (traced != nullptr && traced->is_inside(*outer_)) outer_ = traced;
  }

  /// Of the graphs around the step, in which it puts what depends on nothing of its own.
  void note_sizes() {
    for (const Graph* around = outer_; around != nullptr; around = around->outer())
      around_.emplace_back(around, around->size());
  }

  void check() const {
    require_that(!sequences_.empty(), "a loop needs a sequence to run over");
    for (const Value& sequence : sequences_) {
      require_that(sequence && sequence.rank() >= 1, "a sequence must have a time axis, it is {}",
                   sequence ? to_string(sequence.type()) : "empty");
      require_that(!sequence.graph().closed(),
                   "a sequence is a value of the step of another loop; expected one it returns");
      require_that(sequence.dim(0) == sequences_[0].dim(0), "sequences differ in length: {} and {}",
                   to_string(sequences_[0].type()), to_string(sequence.type()));
    }
    for (const auto& [name, value] : initial_) {
      require_that(static_cast<bool>(value), "state '{}' is empty", name);
      require_that(!value.graph().closed(),
                   "state '{}' is a value of the step of another loop; expected one it returns", name);
    }
    require_that(options_.truncate >= 0, "the gradient cannot be truncated after {} steps", options_.truncate);
    if (!options_.mask) return;
    const Value& mask = options_.mask;
    require_that(mask.dtype() == f32 && mask.rank() == 2 && mask.dim(0) == sequences_[0].dim(0),
                 "the mask must be f32[time={}, batch], it is {}", sequences_[0].dim(0), to_string(mask.type()));
  }

  Value add_sequence(const Value& sequence) {
    const TensorType type = one_step(sequence);
    body_->sequences.push_back(
        graph().input(fmt::format("sequence{}", body_->sequences.size()), type.dtype, type.shape, where_));
    if (body_->sequences.size() > sequences_.size()) sequences_.push_back(sequence);
    return body_->sequences.back();
  }

  /// The states with no way for the gradient from the first step of a stretch to the stretch before it.
  State truncated(const State& before) {
    const std::int64_t time = sequences_[0].dim(0);
    Tensor first(boolean, {time});
    for (std::int64_t t = 0; t < time; ++t) {
      const std::int64_t step = options_.reverse ? time - 1 - t : t;
      first.values<bool>()[static_cast<std::size_t>(t)] = step > 0 && step % options_.truncate == 0;
    }
    const Value is_first = add_sequence(outer().constant(first, where_));
    State result;
    for (const auto& [name, value] : before) {
      const bool flows = value.dtype() == f32;
      result.set(name, flows ? where(here(is_first), here(stop_gradient(here(value))), here(value)) : value);
    }
    return result;
  }

  /// What a step returns may be values of the graph around it.
  void bring_in(Step& step) {
    const auto bring = [&](const Value& value, std::string_view name) {
      require_that(static_cast<bool>(value), "the step gives an empty value for '{}'", name);
      try {
        return graph().import(value);
      } catch (const GraphError& error) {
        fail_at(where_, kScan, "the step's '{}': {}", name, error.what());
      }
    };
    if (step.output) step.output = bring(step.output, "output");
    for (auto* values : {&step.state, &step.outputs})
      for (const auto& [name, value] : State(*values)) values->set(name, bring(value, name));
    for (const auto& [name, value] : initial_) {
      require_that(step.state.contains(name), "the step does not return state '{}'; it returns: {}", name,
                   names_of(step.state));
      require_that(step.state[name].type() == value.type(), "state '{}' is {} at first, but {} after a step", name,
                   to_string(value.type()), to_string(step.state[name].type()));
    }
    for (const auto& [name, value] : step.state)
      require_that(initial_.contains(name), "the step returns state '{}', which has no initial value; there are: {}",
                   name, names_of(initial_));
  }

  /// An input the step makes itself would have no value in any program.
  void check_inputs() const {
    std::set<int> known;
    for (const auto* inputs : {&body_->sequences, &body_->states})
      for (const Value& input : *inputs) known.insert(input.node());
    for (const Capture& capture : body_->graph->captures()) known.insert(capture.inner.node());
    for (int id = 0; id < body_->graph->size(); ++id) {
      const auto* input = dynamic_cast<const InputOp*>(body_->graph->node(id).op.get());
      require_that(input == nullptr || known.contains(id),
                   "the step makes an input '{}'; a loop's inputs must be made outside of it",
                   input == nullptr ? "" : input->label);
    }
  }

  /// Steps are copies of one body, whose nodes need not run once for each; a variable is written once a run.
  void check_no_updates() const {
    check_no_updates(*body_->graph, 0);
    for (const auto& [around, size] : around_) check_no_updates(*around, size);
  }

  static void check_no_updates(const Graph& graph, int first) {
    for (int id = first; id < graph.size(); ++id) {
      const Node& node = graph.node(id);
      if (updates_variable(node))
        throw GraphError(node.op->name(),
                         "a step of a loop cannot write to a variable; return what changes as a state, and write that "
                         "after the loop",
                         node.origin);
    }
  }

  void apply_mask(Step& step, const State& before) {
    const Value active = not_equal(here(add_sequence(options_.mask)), Operand(0, where_));
    const std::int64_t batch = active.dim(0);
    const auto select = [&](std::string_view name, const Value& value, Operand otherwise) {
      require_that(value.rank() >= 1 && value.dim(0) == batch,
                   "with a mask of batch {}, '{}' must have the batch as its first axis, it is {}", batch, name,
                   to_string(value.type()));
      Shape shape{batch};
      while (shape.rank() < value.rank()) shape = shape.appended(1);
      return where(here(reshape(here(active), shape)), here(value), otherwise);
    };
    for (const auto& [name, value] : before) step.state.set(name, select(name, step.state[name], here(value)));
    if (step.output) step.output = select("output", step.output, Operand(0, where_));
    for (const auto& [name, value] : State(step.outputs))
      step.outputs.set(name, select(name, value, Operand(0, where_)));
  }

  void stack(const Value& value) {
    for (const auto* kept : {&body_->next, &body_->stacked})
      if (std::ranges::find(*kept, value) != kept->end()) return;
    body_->stacked.push_back(value);
  }

  ScanResult finish(const Step& step) {
    std::vector<Value> initial, captures;
    for (const auto& [name, value] : initial_) initial.push_back(value);
    for (const Capture& capture : graph().captures()) {
      if (&capture.outer.graph() != &outer()) continue;
      captures.push_back(capture.outer);
      body_->captures.push_back(capture.inner);
    }
    check_inputs();
    graph().close();
    if (sequences_[0].dim(0) == 0) return of_no_steps(step);
    const ScanOp op(body_, sequences_[0].dim(0), options_.reverse, options_.recompute);
    const std::vector<Value> node = Graph::outputs(add_scan(outer(), op, sequences_, initial, captures, where_));
    ScanResult result;
    std::size_t index = 0;
    for (const auto& [name, value] : initial_) {
      result.last.set(name, node[index]);
      result.states.set(name, states_before_steps(node[op.first_history() + index], !options_.reverse));
      ++index;
    }
    const auto at_all_steps = [&](const Value& value) {
      const auto state = std::ranges::find(body_->next, value);
      if (state != body_->next.end())
        return states_before_steps(node[op.first_history() + static_cast<std::size_t>(state - body_->next.begin())],
                                   !options_.reverse);
      const auto kept = std::ranges::find(body_->stacked, value);
      return node[op.first_stacked() + static_cast<std::size_t>(kept - body_->stacked.begin())];
    };
    if (step.output) result.output = at_all_steps(step.output);
    for (const auto& [name, value] : step.outputs) result.outputs.set(name, at_all_steps(value));
    return result;
  }

  /// What a loop over nothing comes to; no gradient flows but through the states.
  ScanResult of_no_steps(const Step& step) {
    const auto nothing = [&](const Value& value) {
      return full(outer(), {value.dtype(), value.shape().inserted(0, 0)}, 0, where_);
    };
    ScanResult result{.last = initial_};
    for (const auto& [name, value] : initial_) result.states.set(name, nothing(value));
    if (step.output) result.output = nothing(step.output);
    for (const auto& [name, value] : step.outputs) result.outputs.set(name, nothing(value));
    return result;
  }

  /// The body being traced in this thread, if any.
  static thread_local Graph* traced;

  Graph* outer_ = nullptr;
  Graph* surrounding_ = nullptr;
  std::vector<std::pair<const Graph*, int>> around_;  ///< with their sizes before the step
  const State& initial_;
  const ScanOptions& options_;
  std::vector<Value> sequences_;
  SourceLocation where_;
  std::shared_ptr<ScanBody> body_ = std::make_shared<ScanBody>();
};

thread_local Graph* Tracer::traced = nullptr;

}  // namespace

State::State(std::initializer_list<Entry> entries, SourceLocation where) {
  for (const auto& [name, value] : entries) {
    require_at(!contains(name), user_line(where), "state", "'{}' is given twice", name);
    entries_.emplace_back(name, value);
  }
}

const Value& State::operator[](const StateName& name) const {
  for (const Entry& entry : entries_)
    if (entry.first == name.name) return entry.second;
  fail_at(name.where, "state", "there is no '{}'; there are: {}", name.name, names_of(*this));
}

void State::set(std::string_view name, Value value) {
  const auto found = std::ranges::find(entries_, name, &Entry::first);
  if (found == entries_.end()) {
    entries_.emplace_back(name, value);
  } else {
    found->second = value;
  }
}

bool State::contains(std::string_view name) const {
  return std::ranges::find(entries_, name, &Entry::first) != entries_.end();
}

State zero_state(Value like, std::initializer_list<std::string_view> names, const Shape& shape, SourceLocation where) {
  const BuilderScope at("zero_state", "like", like, where);
  State state;
  for (const std::string_view name : names) state.set(name, full(at.graph(), {f32, shape}, 0.0f));
  return state;
}

ScanResult scan(const StepFunction& step, const std::vector<Value>& sequences, const State& initial,
                const ScanOptions& options, SourceLocation where) {
  return Tracer(sequences, initial, options, where).trace(step);
}

}  // namespace eddy
