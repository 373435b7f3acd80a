// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <map>

#include "eddy/core/clock.h"
#include "eddy/core/resident_team.h"
#include "eddy/graph/program_impl.h"

namespace eddy {
namespace {

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

/// Attributes are shown where they say much in little: what a fused op consists of, how a product is turned.
constexpr std::size_t kLongestAttributes = 80;

std::string label_of(const Node& node) {
  return fmt::format("{}{} {}", signature(node), braced_attributes(*node.op, kLongestAttributes),
                     to_string(node.origin));
}

/// The clocks of a program's instructions and, for the loops among them, of the bodies'.
class Clocks {
 public:
  explicit Clocks(ProgramImpl& program)
      : program_(program), seconds_(program.instructions.size()), runs_(program.instructions.size()) {
    for (std::size_t i = 0; i < program.instructions.size(); ++i)
      if (const LoopKernel* loop = loop_of(program.instructions[i]))
        loops_.emplace(i, std::make_unique<Clocks>(*loop->body));
    program.clock = &seconds_;
  }
  ~Clocks() { program_.clock = nullptr; }
  Clocks(const Clocks&) = delete;
  Clocks& operator=(const Clocks&) = delete;

  void begin_run() {
    std::ranges::fill(seconds_, 0.0);
    for (const auto& [index, loop] : loops_) loop->begin_run();
  }
  void end_run() {
    for (std::size_t i = 0; i < seconds_.size(); ++i) runs_[i].push_back(seconds_[i]);
    for (const auto& [index, loop] : loops_) loop->end_run();
  }

  /// Adds the instructions to `nodes`, each for `repeats` executions; the first one starts at `start`. A loop becomes
  /// its body, with the times of all steps together, and what is left to the loop itself.
  void list(const std::string& prefix, double repeats, double start, std::vector<NodeProfile>& nodes) const {
    for (std::size_t i = 0; i < seconds_.size(); ++i) {
      const Instruction& instruction = program_.instructions[i];
      const Node& node = program_.node(instruction);
      const double end = start + median(runs_[i]);
      NodeProfile entry{.op = prefix + std::string(node.op->name()), .label = label_of(node)};
      if (const auto loop = loops_.find(i); loop != loops_.end()) {
        const std::size_t first = nodes.size();
        const auto steps = static_cast<double>(loop_of(instruction)->steps);
        loop->second->list(entry.op + "/", repeats * steps, start, nodes);
        for (std::size_t inner = first; inner < nodes.size(); ++inner) start += nodes[inner].seconds;
      } else {
        const Cost cost = node.op->cost(input_types(node), node.outputs);
        entry.flops = cost.flops * repeats;
        entry.bytes = cost.bytes * repeats;
      }
      entry.start = start;
      entry.seconds = std::max(0.0, end - start);
      start = std::max(start, end);
      nodes.push_back(std::move(entry));
    }
  }

 private:
  ProgramImpl& program_;
  std::vector<double> seconds_;
  std::vector<std::vector<double>> runs_;  ///< by instruction
  std::map<std::size_t, std::unique_ptr<Clocks>> loops_;
};

}  // namespace

void ProgramImpl::run_timed(std::vector<double>& seconds) {
  for (std::size_t i = 0; i < instructions.size(); ++i) {
    const double before = steady_seconds();
    execute(instructions[i]);
    seconds[i] += steady_seconds() - before;
  }
}

Profile Program::profile(std::span<const Binding> bindings, int runs) {
  require<UsageError>(runs >= 1, "a profile needs at least one run, not {}", runs);
  impl().bind(bindings);
  impl().resolve();
  Clocks clocks(impl());
  std::vector<double> totals;
  for (int run = 0; run < runs; ++run)
    with_resident_team([&] {
      clocks.begin_run();
      const double start = steady_seconds();
      impl().run();
      totals.push_back(steady_seconds() - start);
      clocks.end_run();
    });
  Profile profile;
  clocks.list("", 1, 0, profile.nodes);
  profile.total_seconds = median(totals);
  return profile;
}

}  // namespace eddy
