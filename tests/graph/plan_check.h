// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "eddy/core/tensor.h"
#include "eddy/graph/graph.h"
#include "eddy/graph/memory_plan.h"
#include "eddy/graph/program_impl.h"

namespace eddy::test {

/// What is wrong with a plan: buffers that live at the same time and overlap, lie outside the arena or off the
/// alignment, or an arena larger than all buffers together or smaller than what is alive at once. Empty when sound.
inline std::string plan_problem(const MemoryPlan& plan) {
  if (plan.offsets.size() != plan.buffers.size())
    return fmt::format("{} offsets for {} buffers", plan.offsets.size(), plan.buffers.size());
  for (std::size_t i = 0; i < plan.buffers.size(); ++i) {
    const BufferLife& a = plan.buffers[i];
    const std::size_t begin = plan.offsets[i];
    if (a.first > a.last) return fmt::format("buffer {} lives from {} to {}", i, a.first, a.last);
    if (begin % kAlignment != 0) return fmt::format("buffer {} lies at {}", i, begin);
    if (begin + a.bytes > plan.arena_bytes)
      return fmt::format("buffer {} ends at {}, the arena at {}", i, begin + a.bytes, plan.arena_bytes);
    for (std::size_t j = 0; j < i; ++j) {
      const BufferLife& b = plan.buffers[j];
      const bool together = a.first <= b.last && b.first <= a.last;
      if (together && begin < plan.offsets[j] + b.bytes && plan.offsets[j] < begin + a.bytes)
        return fmt::format("buffers {} ({} bytes at {}, steps {}-{}) and {} ({} bytes at {}, steps {}-{}) overlap", i,
                           a.bytes, begin, a.first, a.last, j, b.bytes, plan.offsets[j], b.first, b.last);
    }
  }
  if (plan.arena_bytes > plan.unshared_bytes)
    return fmt::format("the arena of {} bytes is larger than all buffers: {}", plan.arena_bytes, plan.unshared_bytes);
  if (!plan.buffers.empty() && plan.bytes_alive(plan.peak_step()) > plan.arena_bytes)
    return fmt::format("{} bytes are alive in an arena of {}", plan.bytes_alive(plan.peak_step()), plan.arena_bytes);
  return {};
}

/// What is wrong with the plan of a loop's body, or of a loop inside it. Adds to `loops` how many there were.
inline std::string loop_plan_problem(const LoopKernel& loop, std::size_t* loops) {
  ++*loops;
  std::string problem = plan_problem(loop.body->plan);
  for (const Instruction& instruction : loop.body->instructions)
    if (const LoopKernel* inner = loop_of(instruction); problem.empty() && inner != nullptr)
      problem = loop_plan_problem(*inner, loops);
  return problem.empty() ? "" : "in the body of a loop, " + problem;
}

/// The same for every loop of a graph. A program hides its kernels, so they are made again, with every output used.
inline std::string loop_plan_problem(const Graph& graph, std::size_t* loops) {
  for (int id = 0; id < graph.size(); ++id) {
    const Node& node = graph.node(id);
    if (node.op->name() != "scan") continue;
    const std::vector<TensorType> inputs = input_types(node);
    const std::unique_ptr<bool[]> used(new bool[node.outputs.size()]);
    std::fill_n(used.get(), node.outputs.size(), true);
    const Kernel kernel = node.op->make_kernel({inputs, node.outputs, {used.get(), node.outputs.size()}});
    const LoopKernel* loop = kernel.run.target<LoopKernel>();
    if (loop == nullptr) return fmt::format("node {}: the kernel of a loop is none", id);
    if (const std::string problem = loop_plan_problem(*loop, loops); !problem.empty())
      return fmt::format("node {}: {}", id, problem);
  }
  return {};
}

}  // namespace eddy::test
