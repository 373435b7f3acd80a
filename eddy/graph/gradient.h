// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <initializer_list>
#include <span>
#include <vector>

#include "eddy/graph/value.h"

namespace eddy {

/// Rows added to a table of zeros: `rows` f32[n, …] go to the rows `indices` i32[n]; repeated indices add up and
/// negative ones are ignored.
struct RowSparse {
  Value indices;
  Value rows;
};

/// The gradient of a scalar with respect to one value: a dense part, row-sparse parts, both (a tied embedding) or
/// neither (no path). `dense()` turns sparse into dense, and so do the rules of ops that the value itself was made by:
/// they take dense gradients. Handles of one graph, valid as long as it lives;
/// what makes nodes of them is for the thread that builds it.
class Gradient {
 public:
  Gradient() = default;
  Gradient(Value dense) : dense_(dense) {}         // NOLINT: a dense gradient is just a value
  Gradient(RowSparse sparse) : sparse_{sparse} {}  // NOLINT

  bool empty() const { return !dense_ && sparse_.empty(); }
  bool is_dense() const { return dense_ && sparse_.empty(); }
  bool is_sparse() const { return !dense_ && !sparse_.empty(); }
  Value dense_part() const { return dense_; }
  std::span<const RowSparse> sparse_parts() const { return sparse_; }

  /// The whole gradient as one value of shape `like`'s; throws GraphError when empty.
  Value dense(Value like) const;
  /// Sum of two gradients of the same value.
  friend Gradient sum(const std::vector<Gradient>& parts);

 private:
  Value dense_;
  std::vector<RowSparse> sparse_;
};

/// What an op's gradient rule sees. The spans live as long as the call.
struct GradientContext {
  std::span<const Value> inputs;
  std::span<const Value> outputs;
  /// Gradient of the final scalar with respect to each output; an empty Value where none flows.
  std::span<const Value> output_gradients;
  std::vector<bool> input_needed;

  const Value& in(int i) const { return inputs[static_cast<std::size_t>(i)]; }
  const Value& out(int i) const { return outputs[static_cast<std::size_t>(i)]; }
  const Value& d_out(int i) const { return output_gradients[static_cast<std::size_t>(i)]; }
  bool needs(int i) const { return input_needed[static_cast<std::size_t>(i)]; }
};

/// Derivatives of the scalar `loss` (f32, one element) with respect to each of `wrt`, as values of the same graph:
/// an ordinary graph, so gradients of gradients work. A value the loss does not depend on gets an empty gradient; so
/// does one it depends on only through integers, booleans (comparisons, argmax, the mask of a loop) or stop_gradient,
/// which are constants to it. Throws GraphError naming the op, and the line that made its node, when the gradient would
/// have to pass through an input that has none, such as the mask of a layer.
std::vector<Gradient> gradients(Value loss, std::span<const Value> wrt,
                                SourceLocation where = SourceLocation::current());

/// A gradient that arrives at a value from outside: f32 of the value's shape.
struct Seed {
  Value value;
  Value gradient;
};

/// Derivatives of sum(seed.value * seed.gradient) over all seeds, of one graph, with respect to each of `wrt`. Errors
/// of rules are as for gradients(); the arguments are not checked: f32 values of the seeds' graph.
std::vector<Gradient> backpropagate(std::span<const Seed> seeds, std::span<const Value> wrt);

/// The same as `gradients` with dense results; a value without a path gets zeros. f32 of the shapes of `wrt`.
std::vector<Value> dense_gradients(Value loss, std::span<const Value> wrt,
                                   SourceLocation where = SourceLocation::current());
/// That of one value.
Value dense_gradient(Value loss, Value wrt, SourceLocation where = SourceLocation::current());

/// The same of values written down, as in `gradients(loss, {w, b})`.
inline std::vector<Gradient> gradients(Value loss, std::initializer_list<Value> wrt,
                                       SourceLocation where = SourceLocation::current()) {
  return gradients(loss, std::span(wrt.begin(), wrt.size()), where);
}
inline std::vector<Value> dense_gradients(Value loss, std::initializer_list<Value> wrt,
                                          SourceLocation where = SourceLocation::current()) {
  return dense_gradients(loss, std::span(wrt.begin(), wrt.size()), where);
}

}  // namespace eddy
