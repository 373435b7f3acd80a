// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "eddy/core/threads.h"
#include "eddy/graph/passes.h"
#include "eddy/graph/program.h"

namespace eddy {

/// An address as a base, resolved at each run, and an offset.
struct Slot {
  int base = -1;  ///< -1: null
  std::size_t offset = 0;
};

struct Instruction {
  Kernel kernel;
  int node = 0;
  int first_slot = 0;  ///< inputs, then outputs, then scratch
  int inputs = 0;
  int outputs = 0;
};

struct ProgramInput {
  std::string name;
  TensorType type;
  int base = 0;         ///< -1 when no kernel reads it
  Origin origin;        ///< where the graph was given it
  bool is_used = true;  ///< whether a result depends on it as the graph is written, whatever passes make of that

  /// Throws GraphError with that line unless `condition` holds.
  template <class... Args>
  void require(bool condition, fmt::format_string<Args...> format, Args&&... args) const {
    if (!condition) [[unlikely]]
      throw GraphError("input", fmt::format(format, std::forward<Args>(args)...), origin);
  }
};

/// Memory that stays when a run is over, so that a tensor of it could be bound as an input of the next one.
struct WrittenMemory {
  const std::byte* begin = nullptr;
  const std::byte* end = nullptr;
  std::string what;
};

/// What a compiled graph consists of; behind Program and LoopKernel.
struct ProgramImpl {
  Lowered lowered;
  CompileOptions options;
  std::vector<int> order;  ///< nodes as scheduled
  std::vector<Instruction> instructions;
  std::vector<Slot> slots;
  std::vector<std::vector<Slot>> value_slots;  ///< by node and output
  std::vector<void*> addresses;                ///< slots resolved, at run time
  std::vector<std::byte*> bases;               ///< 0 is the arena
  std::vector<ProgramInput> inputs;            ///< by name
  std::vector<char> bound;                     ///< by input: whether the run binds it
  std::vector<WrittenMemory> written;          ///< by address
  std::vector<Tensor> held;                    ///< constants and variables, kept alive
  std::vector<Tensor> result_memory;
  std::vector<Tensor> results;
  std::vector<int> result_bases;  ///< of a loop body, whose results lie where its owner says
  MemoryPlan plan;
  int threads = num_threads();           ///< kernels and their scratch are made for so many
  bool keeps_team = false;               ///< whether a run is long enough to hold its threads for
  std::vector<double>* clock = nullptr;  ///< when set, run() adds the seconds of each instruction to it

  Cost cost() const;

  /// Runs the kernels' preparations, for the body of a loop.
  void prepare();
  void run();
  void run_timed(std::vector<double>& seconds);
  void bind(std::span<const Binding> bindings);
  void check_unwritten(const ProgramInput& input, const Tensor& tensor) const;
  void resolve();
  void execute(const Instruction& instruction);
  void check_finite(const Instruction& instruction) const;
  const Node& node(const Instruction& instruction) const { return lowered.graph->node(instruction.node); }
};

/// The kernel of a loop, so that profiles and dumps can look inside: `kernel.run.target<LoopKernel>()`.
struct LoopKernel {
  std::shared_ptr<ProgramImpl> body;
  std::int64_t steps = 0;
  std::function<void(const KernelArgs&)> loop;

  void operator()(const KernelArgs& args) const { loop(args); }
};

/// The body when the instruction is a loop, else null.
inline const LoopKernel* loop_of(const Instruction& instruction) { return instruction.kernel.run.target<LoopKernel>(); }

/// Compiles `graph` as the body of a loop: no passes but pruning, and every result in memory of its own, given by the
/// owner at each step. Inputs named in `invariant` stay the same over all steps. No options mean the default ones.
std::unique_ptr<ProgramImpl> compile_body(const Graph& graph, const std::vector<Value>& results,
                                          const std::set<std::string>& invariant, const CompileOptions* options);

/// Throws what a kernel found wrong, after `prefix`, as a GraphError with its op and the line of its node, or those the
/// error names, as one from within a loop does. A MemoryError stays one.
[[noreturn]] void fail_in(const Node& node, const Error& error, std::string_view prefix = {});

/// " {a=1, b=2}", cut after so many characters; empty for an op without attributes.
std::string braced_attributes(const Op& op, std::size_t longest = std::string::npos);

/// "op(f32[2,3], f32[3]) -> f32[2,3]".
std::string signature(const Node& node);

}  // namespace eddy
