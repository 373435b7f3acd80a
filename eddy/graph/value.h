// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <type_traits>

#include "eddy/core/shape.h"
#include "eddy/core/source_location.h"

/// Values and what takes them. For all builder functions (of ops/, models/ and optimizers/, and those of graph/) holds:
/// they add nodes to the graph of their arguments and keep no reference to anything else but variables, so that
/// different graphs with different stores may be built at once, but one graph or store by one thread at a time. Empty
/// values, values of another graph and types or shapes that do not fit are a GraphError; what only the data can show is
/// one of Program::run.
namespace eddy {

class Graph;

/// A handle to one output of one graph node: cheap to copy, valid as long as its graph lives. Empty by default. Safe to
/// read concurrently while nobody adds to the graph.
class Value {
 public:
  Value() = default;
  Value(Graph* graph, int node, int output) : graph_(graph), node_(node), output_(output) {}

  explicit operator bool() const { return graph_ != nullptr; }
  /// Throws GraphError when empty.
  Graph& graph() const {
    if (graph_ == nullptr) fail_empty();
    return *graph_;
  }
  int node() const { return node_; }
  int output() const { return output_; }

  const TensorType& type() const;
  const Shape& shape() const { return type().shape; }
  DType dtype() const { return type().dtype; }
  int rank() const { return shape().rank(); }
  /// Size of an axis; negative axes count from the end. Throws GraphError when out of range.
  std::int64_t dim(int axis) const { return shape().dim(axis); }

  friend bool operator==(const Value&, const Value&) = default;

 private:
  [[noreturn]] static void fail_empty();

  Graph* graph_ = nullptr;
  int node_ = -1;
  int output_ = 0;
};

/// `at`, or the line this thread builds for just now (see OriginScope).
SourceLocation user_line(SourceLocation at);

/// An argument of a builder function: a value or a scalar, with the line of the user's file that passed it.
struct Operand {
  Value value;
  std::optional<double> scalar;  ///< a double holds every i32
  SourceLocation where;

  Operand(Value v, SourceLocation at = SourceLocation::current()) : value(v), where(user_line(at)) {}  // NOLINT
  template <class T>
  requires std::is_arithmetic_v<T> Operand(T s, SourceLocation at = SourceLocation::current())  // NOLINT
      : scalar(static_cast<double>(s)), where(user_line(at)) {}
};

}  // namespace eddy
