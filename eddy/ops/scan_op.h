// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal: part of ops.

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "eddy/graph/graph.h"
#include "eddy/ops/graph_walk.h"

namespace eddy {

/// One step of a loop, as a graph of its own. Immutable once a ScanOp holds it.
struct ScanBody {
  std::unique_ptr<Graph> graph = std::make_unique<Graph>();
  // Inputs of the graph.
  std::vector<Value> sequences;  ///< this step's slice of each sequence
  std::vector<Value> states;     ///< each state before the step
  std::vector<Value> captures;   ///< what is the same at every step
  // Values of the graph.
  std::vector<Value> next;     ///< each state after the step
  std::vector<Value> stacked;  ///< kept for every step
  std::vector<Value> summed;   ///< f32, added up over the steps

  /// Adds every computed value to `stacked`, so that a gradient may read it. One nobody reads costs nothing.
  void stack_everything();
};

/// A loop over axis 0 of its sequences.
/// Inputs: sequences [time, …], initial states, captures.
/// Outputs: final states; histories [time + 1, …] of the states, where forward keeps the state before step t in slot t
/// and after it in slot t + 1, and reverse the other way round; stacked values [time, …]; sums.
class ScanOp final : public Op {
 public:
  /// How far compilation has come: nothing, work moved out of the loop, nothing left to do.
  enum class Stage : std::uint8_t { traced, moved, final };

  /// `recompute`: the gradient keeps only states and sequences, and computes the rest of a step again.
  ScanOp(std::shared_ptr<const ScanBody> body, std::int64_t time, bool reverse, bool recompute = false,
         Stage stage = Stage::traced);

  const ScanBody& body() const { return *body_; }
  std::int64_t time() const { return time_; }
  bool reverse() const { return reverse_; }

  // Position of the first output of each kind.
  std::size_t first_history() const { return body_->states.size(); }
  std::size_t first_stacked() const { return 2 * body_->states.size(); }
  std::size_t first_sum() const { return first_stacked() + body_->stacked.size(); }

  std::string_view name() const override { return "scan"; }
  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override;
  std::vector<std::vector<bool>> gradient_paths() const override;
  std::vector<Gradient> gradient(const GradientContext& context) const override;
  Cost cost(std::span<const TensorType> inputs, std::span<const TensorType> outputs) const override;
  Kernel make_kernel(const KernelContext& context) const override;
  std::vector<Value> lower(std::span<const Value> inputs, const std::vector<bool>& used,
                           const PassSwitches& switches) const override;
  std::shared_ptr<const Op> clone() const override { return std::make_shared<const ScanOp>(*this); }
  std::string attribute_text() const override;
  std::string attribute_bytes() const override { return key_; }

 private:
  std::shared_ptr<const ScanBody> body_;
  std::int64_t time_;
  bool reverse_;
  bool recompute_;
  Stage stage_;
  std::string key_;  ///< everything that decides what the loop computes
};

/// Adds the node of a loop to the graph of its inputs (or, without any, to `graph`).
Value add_scan(Graph& graph, const ScanOp& op, std::span<const Value> sequences, std::span<const Value> initial,
               std::span<const Value> captures, SourceLocation where = SourceLocation::current());

/// The states before every step [time, …], from a history.
Value states_before_steps(Value history, bool reverse);

/// Copies nodes of one graph into another, each once.
class GraphCopier {
 public:
  explicit GraphCopier(Graph& to) : to_(to) {}
  /// From now on `instead` stands for `original`.
  void use(const Value& original, const Value& instead);
  /// Whether there is a copy of `original`, or something that stands for it.
  bool knows(const Value& original) const;
  /// What stands for `original`: copies, where needed, its node and those it depends on.
  Value copy(const Value& original);

 private:
  Graph& to_;
  std::map<Place, Value> known_;
};

}  // namespace eddy
