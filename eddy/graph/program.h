// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "eddy/core/tensor.h"
#include "eddy/graph/graph.h"
#include "eddy/graph/memory_plan.h"
#include "eddy/graph/pass_switches.h"

namespace eddy {

struct CompileOptions {
  PassSwitches passes = {};
  bool reuse_memory = true;   ///< let buffers whose lives do not meet share memory
  bool in_place = true;       ///< let kernels write over inputs nothing else needs
  bool check_finite = false;  ///< after every node, fail naming the first that yields NaN or infinity
  /// Memory to compute in; give several programs one arena when they never run at the same time.
  std::shared_ptr<Arena> arena = nullptr;
};

/// A tensor for a named input of one run. The name must live as long as the call.
struct Binding {
  std::string_view name;
  Tensor tensor;
};

/// An input of a program's graph.
struct ProgramInputInfo {
  std::string name;
  TensorType type;
  bool is_used = true;  ///< whether a result depends on it: through the nodes of the graph, whatever passes drop
};

/// Time and work of one node, from Program::profile.
struct NodeProfile {
  std::string op;
  std::string label;   ///< types and scope
  double seconds = 0;  ///< median over the runs
  double start = 0;    ///< seconds from the start of a run in which every node takes its median
  double flops = 0;
  double bytes = 0;
};

struct Profile {
  std::vector<NodeProfile> nodes;  ///< in order; a loop is its body ("scan/add", all steps together) and the rest
  double total_seconds = 0;
  double total_flops() const;
  double total_bytes() const;
};

/// Per-op totals and the slowest nodes, with GFLOP/s, GB/s and, given the machine's peak, the share of it. Pure, as
/// chrome_trace().
std::string to_string(const Profile& profile, double peak_gflops = 0);
/// The profile in Chrome's trace event format (load it in a trace viewer).
std::string chrome_trace(const Profile& profile);

struct ProgramImpl;

/// A graph made ready to run: instructions in order, memory planned, kernels built. It keeps variables and constants
/// alive, but not the graph it came from. Movable; one thread at a time may run it or others of its arena.
class Program {
 public:
  Program(Program&&) noexcept;
  Program& operator=(Program&&) noexcept;
  ~Program();

  /// Computes the results from the inputs. The tensors stay valid, and keep their values, until the next run of this
  /// program; bind a clone() to feed one back. Every input that a result depends on must be bound (see
  /// ProgramInputInfo::is_used; which passes ran makes no difference), others need not. What is bound must be, once and
  /// with its exact type, to memory that the run does not write. From the second run on nothing is allocated. Denormal
  /// numbers (below 1.2e-38) count as zeros. Throws GraphError for other bindings, for another num_threads() than at
  /// compilation, and where a kernel refuses its data, with op and line.
  std::span<const Tensor> run(std::span<const Binding> bindings);
  std::span<const Tensor> run(std::initializer_list<Binding> bindings = {}) {
    return run(std::span<const Binding>(bindings.begin(), bindings.size()));
  }

  /// Runs `runs` times with a clock around each node. Updates are done each time. Throws as run(), and UsageError for
  /// runs < 1.
  Profile profile(std::span<const Binding> bindings, int runs = 5);

  /// In order of name.
  std::vector<ProgramInputInfo> inputs() const;
  const MemoryPlan& memory_plan() const;
  /// Number of kernels a run executes.
  int instruction_count() const;
  /// Sum of the cost estimates of all nodes.
  Cost cost() const;
  /// The program as text, one line a node: id, types, op, attributes, inputs, memory, origin. Loops show their body.
  std::string text() const;
  /// The program as a Graphviz digraph, each loop in a frame with its body.
  std::string dot() const;

 private:
  friend class Compiler;
  explicit Program(std::unique_ptr<ProgramImpl> impl);
  /// Throws UsageError for a program that was moved from.
  ProgramImpl& impl() const;

  std::unique_ptr<ProgramImpl> impl_;
};

/// Makes a program that yields `results` and performs the updates they depend on. Throws GraphError. MemoryError when
/// its memory cannot be had.
Program compile(const Graph& graph, const std::vector<Value>& results, CompileOptions options = {});

/// A graph as text or as a Graphviz digraph, before compilation. Pure.
std::string graph_text(const Graph& graph);
std::string graph_dot(const Graph& graph);

}  // namespace eddy
