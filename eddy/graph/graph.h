// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "eddy/core/source_location.h"
#include "eddy/graph/op.h"
#include "eddy/graph/value.h"

namespace eddy {

struct Variable;

/// A node in SSA form: inputs are made before it, types never change. References to it stay valid as long as its graph
/// lives.
struct Node {
  std::shared_ptr<const Op> op;
  std::vector<Value> inputs;
  std::vector<TensorType> outputs;
  Origin origin;
};

std::vector<TensorType> input_types(const Node& node);
/// How the node's outputs may or must use the memory of its inputs.
std::vector<Alias> aliases_of(const Node& node);

/// A value of a surrounding graph that a graph traced inside it uses, and the input that stands for it there.
struct Capture {
  Value outer;
  Value inner;
};

/// Owns the nodes of a computation and keeps their constants and variables alive. Values point into it, so it neither
/// moves nor copies. Programs compiled from it do not need it any more. Not thread-safe; graphs without common
/// variables may be built in different threads.
class Graph {
 public:
  Graph() = default;
  /// A graph traced inside `outer`, such as the body of a loop: it may use values of `outer`, which it captures.
  /// `outer` must live until close().
  explicit Graph(Graph& outer);
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;

  /// A tensor fed by name at each run. Throws GraphError when the name is taken.
  Value input(std::string name, DType dtype, const Shape& shape, SourceLocation where = SourceLocation::current());
  /// A copy of the tensor as it is now. Throws GraphError for an empty one.
  Value constant(const Tensor& tensor, SourceLocation where = SourceLocation::current());
  Value constant(float value, SourceLocation where = SourceLocation::current());
  /// A value that lives outside the graph, shared by all programs that name it. The same variable gives the same node.
  /// Keeps the variable alive; throws GraphError for null.
  Value variable(const std::shared_ptr<Variable>& variable, SourceLocation where = SourceLocation::current());

  /// Adds a node, inferring its types. Throws GraphError with op, reason, line and scope. When an input belongs to a
  /// graph traced inside this one, the node goes there.
  Value add(std::shared_ptr<const Op> op, std::vector<Value> inputs, SourceLocation where);
  /// All outputs of the node of `value`, which may belong to any graph.
  static std::vector<Value> outputs(Value value);
  /// `value` as a value of this graph: itself, or what stands here for a value of a surrounding graph. Throws
  /// GraphError for one of a graph that is not around this one.
  Value import(Value value);
  /// How many graphs this one is traced inside.
  int depth() const { return depth_; }
  const std::vector<Capture>& captures() const { return captures_; }
  /// Ends tracing: the graph no longer depends on the one around it.
  void close() { outer_ = nullptr; }
  /// Whether close() has ended the tracing of a graph inside another.
  bool closed() const { return depth_ > 0 && outer_ == nullptr; }
  /// The graph around this one while it is traced; nullptr for one inside of none.
  const Graph* outer() const { return outer_; }
  /// Where the stream numbers of this graph's random ops begin: graphs inside one graph draw different numbers.
  std::uint32_t first_stream() const { return first_stream_; }
  /// How far next_stream() has looked for this graph's random ops, and the lowest number above theirs.
  struct StreamSearch {
    int nodes = 0;
    std::uint32_t next = 0;
  };
  StreamSearch& stream_search() { return stream_search_; }

  /// What a node made now at line `where` answers to: that line and the name scope, unless an OriginScope says
  /// otherwise.
  Origin origin(SourceLocation where) const;

  const Node& node(int id) const { return nodes_[static_cast<std::size_t>(id)]; }
  int size() const { return static_cast<int>(nodes_.size()); }
  /// Nodes for variables, in order of first use.
  std::vector<Value> variables() const;
  /// Those of them that optimizers train, as in `gradients(loss, graph.parameters())`.
  std::vector<Value> parameters() const;

  /// Whether this is the body of a loop that stands in `other`, or in a body inside of it.
  bool is_inside(const Graph& other) const;

  /// Copies a node of another graph, with its types and origin, onto new inputs. Nothing is checked.
  Value copy(const Node& node, std::vector<Value> inputs);

 private:
  friend class NameScope;
  friend class OriginScope;

  /// What stands here for a value of a surrounding graph; empty when it is not captured yet.
  Value captured(const Value& value) const;
  void note_capture(const Capture& capture);

  std::deque<Node> nodes_;
  std::map<std::string, Value, std::less<>> inputs_;
  std::map<const Variable*, Value> variables_;
  std::string scope_;
  const Origin* pinned_origin_ = nullptr;
  Graph* outer_ = nullptr;
  int depth_ = 0;
  std::uint32_t first_stream_ = 0;
  StreamSearch stream_search_;
  std::vector<Capture> captures_;
  std::map<std::tuple<const Graph*, int, int>, Value> captured_;  ///< by graph, node and output of the outer
};

/// Names the nodes made during its life: nested scopes join with '/'. The graph must outlive it.
class NameScope {
 public:
  NameScope(Graph& graph, std::string_view name);
  ~NameScope() { graph_.scope_.resize(outer_length_); }
  NameScope(const NameScope&) = delete;
  NameScope& operator=(const NameScope&) = delete;

 private:
  Graph& graph_;
  std::size_t outer_length_;
};

/// Lets what library code builds during its life answer to a line of the user's file: nodes and errors alike. Ends in
/// the thread that made it, before scopes around it.
class OriginScope {
 public:
  /// For all that this thread builds, in whatever graph, loop bodies included. The outermost scope wins.
  explicit OriginScope(SourceLocation where);
  /// For nodes of `graph` that stand for one there is: name scope and all, whatever line is built for otherwise. The
  /// outermost of these wins.
  OriginScope(Graph& graph, Origin origin);
  ~OriginScope();
  OriginScope(const OriginScope&) = delete;
  OriginScope& operator=(const OriginScope&) = delete;

 private:
  Graph* pinned_ = nullptr;  ///< the graph whose nodes this scope gives their origin
  const Origin* line_before_;
  Origin origin_;
};

/// Adds a node of op `O` built from `op`; the common form inside builder functions.
template <class O>
Value add_node(Graph& graph, O op, std::vector<Value> inputs, SourceLocation where) {
  return graph.add(std::make_shared<const O>(std::move(op)), std::move(inputs), where);
}

}  // namespace eddy
