// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/scan_paths.h"

#include <map>
#include <utility>

namespace eddy {
namespace {

/// Some of the loop's inputs: sequences, initial states, captures.
using Inputs = std::vector<bool>;

/// Adds `more`; returns whether that was new.
bool join(Inputs& to, const Inputs& more) {
  bool grew = false;
  for (std::size_t i = 0; i < to.size(); ++i) {
    grew = grew || (more[i] && !to[i]);
    to[i] = to[i] || more[i];
  }
  return grew;
}

class Paths {
 public:
  explicit Paths(const ScanBody& body)
      : body_(body),
        first_state_(body.sequences.size()),
        inputs_(first_state_ + body.states.size() + body.captures.size()),
        of_state_(body.states.size(), Inputs(inputs_, false)) {
    walk_step();
    walk_states();
  }

  std::vector<Inputs> of_outputs() const {
    std::vector<Inputs> paths = of_state_;                          // last values
    paths.insert(paths.end(), of_state_.begin(), of_state_.end());  // histories
    for (const auto* values : {&body_.stacked, &body_.summed})
      for (const Value& value : *values) paths.push_back(over_steps(value));
    return paths;
  }

  StateGradients of_states(std::span<const Value> values, std::vector<bool> after) const {
    StateGradients found{.after = std::move(after), .before = std::vector<bool>(of_state_.size())};
    for (const Value& value : values) add_states(value, found.before);
    std::vector<bool> followed(of_state_.size());
    for (bool grew = true; grew;) {
      grew = false;
      for (std::size_t i = 0; i < followed.size(); ++i) {
        found.after[i] = found.after[i] || found.before[i];
        if (!found.after[i] || followed[i]) continue;
        add_states(body_.next[i], found.before);
        followed[i] = grew = true;
      }
    }
    return found;
  }

 private:
  /// Adds the states that `value` depends on within a step.
  void add_states(const Value& value, std::vector<bool>& states) const {
    const auto found = of_step_.find(place_of(value));
    if (found == of_step_.end()) return;
    for (std::size_t i = 0; i < states.size(); ++i) states[i] = states[i] || found->second[first_state_ + i];
  }

  void begin_with(const std::vector<Value>& values, std::size_t first) {
    for (std::size_t i = 0; i < values.size(); ++i)
      if (values[i].dtype() == f32) inputs_of(place_of(values[i]))[first + i] = true;
  }

  Inputs& inputs_of(const Place& place) {
    Inputs& inputs = of_step_[place];
    inputs.resize(inputs_);
    return inputs;
  }

  /// Within a step; states stand for their values before it.
  void walk_step() {
    begin_with(body_.sequences, 0);
    begin_with(body_.states, first_state_);
    begin_with(body_.captures, first_state_ + body_.states.size());
    for (int id = 0; id < body_.graph->size(); ++id) {
      const Node& node = body_.graph->node(id);
      const auto paths = node.op->gradient_paths();
      for (std::size_t i = 0; i < node.inputs.size(); ++i) {
        const auto found = of_step_.find(place_of(node.inputs[i]));
        if (found == of_step_.end()) continue;
        for (std::size_t output = 0; output < node.outputs.size(); ++output)
          if (node.outputs[output].dtype == f32 && (paths.empty() || paths[output][i]))
            join(inputs_of({id, static_cast<int>(output)}), found->second);
      }
    }
  }

  /// A state depends on what the states that lead to it do.
  void walk_states() {
    for (std::size_t i = 0; i < of_state_.size(); ++i) of_state_[i][first_state_ + i] = body_.states[i].dtype() == f32;
    for (bool grew = true; grew;) {
      grew = false;
      for (std::size_t i = 0; i < of_state_.size(); ++i) grew = join(of_state_[i], over_steps(body_.next[i])) || grew;
    }
  }

  Inputs over_steps(const Value& value) const {
    Inputs result(inputs_, false);
    const auto found = of_step_.find(place_of(value));
    if (found == of_step_.end()) return result;
    join(result, found->second);
    for (std::size_t i = 0; i < of_state_.size(); ++i)
      if (found->second[first_state_ + i]) join(result, of_state_[i]);
    return result;
  }

  const ScanBody& body_;
  std::size_t first_state_, inputs_;
  std::map<Place, Inputs> of_step_;  ///< by value of the body; absent for those without any
  std::vector<Inputs> of_state_;     ///< after any number of steps
};

}  // namespace

std::vector<std::vector<bool>> paths_of_gradients(const ScanBody& body) { return Paths(body).of_outputs(); }

StateGradients gradients_of_states(const ScanBody& body, std::span<const Value> values, std::vector<bool> after) {
  return Paths(body).of_states(values, std::move(after));
}

}  // namespace eddy
