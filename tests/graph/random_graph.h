// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <vector>

#include "eddy/core/random.h"
#include "eddy/graph/graph.h"
#include "eddy/graph/variable.h"

namespace eddy::test {

/// A graph grown at random from many ops: views, chances to work in place, several outputs, repeated and foldable
/// parts, variables with updates, sometimes loops, sometimes a backward pass. One seed, one graph.
class RandomGraph {
 public:
  explicit RandomGraph(std::uint64_t seed);

  const Graph& graph() const { return graph_; }
  const std::vector<Value>& results() const { return results_; }
  const std::map<std::string, Tensor>& inputs() const { return inputs_; }
  /// Whether there is a loop. Moving work out of loops changes the order of sums, and so their rounding.
  bool has_loop() const { return has_loop_; }

  /// Puts the variables back to what they were at first.
  void reset_variables();
  std::vector<Tensor> variable_values() const;

 private:
  Value pick();
  /// A random earlier f32 value that `fits`, or an empty one.
  template <class Fits>
  Value pick_where(Fits&& fits);
  void keep(Value value) { pool_.push_back(value); }
  void add_sources();
  void add_node();
  void add_elementwise(Value x);
  void add_binary(Value x);
  void add_move(Value x);
  void add_reduction(Value x);
  void add_product(Value x);
  void add_several_outputs(Value x);
  void add_constant_part(Value x);
  void add_lookup(Value x);
  void add_loop(Value x);
  Value body_op(std::vector<Value>& pool, const Value& outside);
  void add_backward();
  void add_updates();
  void choose_results();
  std::int64_t below(std::int64_t n) {
    return static_cast<std::int64_t>(uniform_index(random_, static_cast<std::uint64_t>(n)));
  }
  bool chance(int in) { return below(in) == 0; }

  Philox random_;
  Graph graph_;
  ParameterStore store_;
  std::vector<Value> pool_;
  std::vector<Value> variables_;
  std::vector<Value> updates_;
  std::vector<Value> results_;
  std::map<std::string, Tensor> inputs_;
  std::vector<Tensor> first_values_;
  bool has_loop_ = false;
};

}  // namespace eddy::test
