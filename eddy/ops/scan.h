// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <concepts>
#include <functional>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "eddy/graph/value.h"

namespace eddy {

/// A name to look up, with the line of the user's file that asks for it.
struct StateName {
  std::string_view name;
  SourceLocation where;

  template <std::convertible_to<std::string_view> T>
  StateName(const T& text, SourceLocation at = SourceLocation::current())  // NOLINT
      : name(text), where(user_line(at)) {}
};

/// Values by name, in a fixed order: what a loop carries from step to step. A plain value.
class State {
 public:
  using Entry = std::pair<std::string, Value>;

  State() = default;
  /// Throws GraphError when two have one name.
  State(std::initializer_list<Entry> entries, SourceLocation where = SourceLocation::current());

  /// Throws GraphError listing the names there are, with the user's line, when `name` is not one of them.
  const Value& operator[](const StateName& name) const;
  /// Adds a value, or replaces the one of that name.
  void set(std::string_view name, Value value);
  bool contains(std::string_view name) const;
  std::size_t size() const { return entries_.size(); }
  std::vector<Entry>::const_iterator begin() const { return entries_.begin(); }
  std::vector<Entry>::const_iterator end() const { return entries_.end(); }

 private:
  std::vector<Entry> entries_;
};

/// f32 zeros of one shape under each of the names, in the graph of `like`. Throws GraphError for an empty `like`.
State zero_state(Value like, std::initializer_list<std::string_view> names, const Shape& shape,
                 SourceLocation where = SourceLocation::current());

/// What one step yields: its output (may be empty), named further outputs, and every state by its name.
struct Step {
  Value output = {};
  State state = {};
  State outputs = {};
};

struct ScanOptions {
  /// f32[time, batch] of 0 and 1; empty for all 1. At a masked step a row of the batch (axis 0 of states and outputs)
  /// carries its states through unchanged and yields zeros. No gradient flows to the mask. What the step computes of
  /// padding is thrown away, but must have a finite gradient: 0 times infinity is not 0.
  Value mask = {};
  /// From the last step to the first; outputs keep their places in time.
  bool reverse = false;
  /// The gradient does not flow through states from one stretch of this many steps to the one before it, but in rows
  /// that are masked at the first step of a stretch, whose states pass unchanged; 0: it always does. The first stretch
  /// passes it on to the initial states.
  std::int64_t truncate = 0;
  /// Keep only the states for the gradient and compute the rest of each step again, with no product over all steps at
  /// once: less memory, more time.
  bool recompute = false;
};

struct ScanResult {
  Value output = {};   ///< [time, …]; empty when the steps yield none
  State last = {};     ///< states after the last step
  State outputs = {};  ///< named outputs, [time, …]
  State states = {};   ///< states after each step, [time, …]

  // For `auto [output, last] = scan(…)`.
  template <std::size_t index>
  const auto& get() const {
    if constexpr (index == 0) {
      return output;
    } else {
      return last;
    }
  }
};

template <class F>
concept IsStep = requires(F function, std::span<const Value> inputs, const State& state) {
  { function(inputs, state) } -> std::convertible_to<Step>;
};

template <class F>
concept IsStepOfOne = std::is_invocable_r_v<Step, F&, Value, const State&>;

/// One step of a loop: a function of the values of all sequences at this step, or of one value for a loop over one
/// sequence, and the states before it. One that takes the user's line as well, as the cells of the library do, gets
/// that of the loop. Holds a copy of the function, which scan() does not keep.
class StepFunction {
 public:
  StepFunction() = default;
  template <class F>
  requires(IsStep<F> || IsStepOfOne<F>) StepFunction(F function) : is_of_one_(!IsStep<F>) {  // NOLINT
    call_ = [function = std::move(function)](std::span<const Value> inputs, const State& state,
                                             SourceLocation where) mutable -> Step {
      if constexpr (std::is_invocable_r_v<Step, F&, std::span<const Value>, const State&, SourceLocation>) {
        return function(inputs, state, where);
      } else if constexpr (IsStep<F>) {
        return function(inputs, state);
      } else if constexpr (std::is_invocable_r_v<Step, F&, Value, const State&, SourceLocation>) {
        return function(inputs[0], state, where);
      } else {
        return function(inputs[0], state);
      }
    };
  }

  explicit operator bool() const { return static_cast<bool>(call_); }
  /// Whether the function takes one value: it sees the first of `inputs` alone.
  bool is_of_one() const { return is_of_one_; }
  Step operator()(std::span<const Value> inputs, const State& state,
                  SourceLocation where = SourceLocation::current()) const {
    return call_(inputs, state, where);
  }

 private:
  std::function<Step(std::span<const Value> inputs, const State& state, SourceLocation where)> call_;
  bool is_of_one_ = false;
};

/// A loop over axis 0 (time) of `sequences`, all of one length. `step` is called once, on values of a graph of its own:
/// it may use any value around it, which is then the same at every step, and write to no variable. Differentiable, to
/// any order its ops allow, in the sequences, the initial states and the values the step captures. A state that any
/// step's gradient comes to has one at every step, zeros if no later step reads it: its derivative must be finite there
/// too. Over 0 steps, for which `step` is called all the same, the last states are the initial ones and all else is
/// empty, [0, …]. Throws GraphError with the user's line.
ScanResult scan(const StepFunction& step, const std::vector<Value>& sequences, const State& initial,
                const ScanOptions& options = {}, SourceLocation where = SourceLocation::current());

/// The same over one sequence.
inline ScanResult scan(const StepFunction& step, Value sequence, const State& initial, const ScanOptions& options = {},
                       SourceLocation where = SourceLocation::current()) {
  return scan(step, std::vector<Value>{sequence}, initial, options, where);
}

}  // namespace eddy

template <>
struct std::tuple_size<eddy::ScanResult> : std::integral_constant<std::size_t, 2> {};
template <>
struct std::tuple_element<0, eddy::ScanResult> {
  using type = const eddy::Value;
};
template <>
struct std::tuple_element<1, eddy::ScanResult> {
  using type = const eddy::State;
};
