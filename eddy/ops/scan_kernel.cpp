// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <cstring>
#include <memory>
#include <set>

#include "eddy/core/threads.h"
#include "eddy/graph/builtin.h"
#include "eddy/graph/program_impl.h"
#include "eddy/ops/scan_op.h"
#include "eddy/ops/scratch_plan.h"

namespace eddy {
namespace {

const std::string& label_of(const Value& value) {
  return dynamic_cast<const InputOp&>(*value.graph().node(value.node()).op).label;
}

void add_to(float* sum, const float* x, std::int64_t count) {
  parallel_for(count, kElementwiseGrain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) sum[i] += x[i];
  });
}

/// Runs the compiled body step after step: buffers are planned once, steps only move pointers.
class Loop {
 public:
  Loop(const ScanOp& op, const KernelContext& context) : time_(op.time()), reverse_(op.reverse()) {
    const ScanBody& body = op.body();
    const auto used = [&](std::size_t output) { return context.output_used[output]; };
    std::vector<Value> results;
    // A state is carried when something that is used depends on it; finding out which is the work of a pass.
    for (std::size_t i = 0; i < body.states.size(); ++i) {
      states_.push_back({.bytes = body.states[i].type().bytes(),
                         .input = static_cast<int>(body.sequences.size() + i),
                         .final = used(i) ? static_cast<int>(i) : -1,
                         .history = used(op.first_history() + i) ? static_cast<int>(op.first_history() + i) : -1});
      results.push_back(body.next[i]);
    }
    for (std::size_t i = 0; i < body.stacked.size(); ++i) {
      if (!used(op.first_stacked() + i)) continue;
      stacked_.push_back({.bytes = body.stacked[i].type().bytes(), .output = static_cast<int>(op.first_stacked() + i)});
      results.push_back(body.stacked[i]);
    }
    for (std::size_t i = 0; i < body.summed.size(); ++i) {
      if (!used(op.first_sum() + i)) continue;
      sums_.push_back({.elements = body.summed[i].shape().elements(), .output = static_cast<int>(op.first_sum() + i)});
      results.push_back(body.summed[i]);
    }
    std::set<std::string> invariant;
    for (const Value& value : body.captures) invariant.insert(label_of(value));
    program_ = compile_body(*body.graph, results, invariant, context.options);
    for (std::size_t i = 0; i < body.sequences.size(); ++i)
      sequences_.push_back({.bytes = body.sequences[i].type().bytes(), .base = base_of(body.sequences[i])});
    for (std::size_t i = 0; i < body.states.size(); ++i) states_[i].base = base_of(body.states[i]);
    for (const Value& value : body.captures) captures_.push_back(base_of(value));
    plan_scratch();
  }

  std::size_t scratch_bytes() const { return scratch_.bytes(); }
  const std::shared_ptr<ProgramImpl>& body() const { return program_; }

  void run(const KernelArgs& args) {
    auto* scratch = static_cast<std::byte*>(args.scratch);
    std::vector<std::byte*>& bases = program_->bases;
    bases[0] = scratch;
    const std::size_t first_capture = sequences_.size() + states_.size();
    for (std::size_t i = 0; i < captures_.size(); ++i)
      set(captures_[i], const_cast<void*>(args.inputs[first_capture + i]));
    for (const Carried& state : states_)
      if (state.history >= 0)
        std::memcpy(slot(args, state, reverse_ ? time_ : 0), args.inputs[state.input], state.bytes);
    for (std::int64_t step = 0; step < time_; ++step) {
      const std::int64_t t = reverse_ ? time_ - 1 - step : step;
      for (std::size_t i = 0; i < sequences_.size(); ++i)
        set(sequences_[i].base, address(const_cast<void*>(args.inputs[i]), sequences_[i].bytes, t));
      std::size_t result = 0;
      for (const Carried& state : states_) {
        set(state.base, before(args, state, step, t, scratch));
        set(program_->result_bases[result++], after(args, state, step, t, scratch));
      }
      for (const Stacked& value : stacked_)
        set(program_->result_bases[result++], address(args.outputs[value.output], value.bytes, t));
      for (const Sum& sum : sums_)
        set(program_->result_bases[result++], step == 0 ? args.outputs[sum.output] : scratch + sum.offset);
      program_->resolve();
      if (step == 0) program_->prepare();
      run_step(t);
      if (step == 0) continue;
      for (const Sum& sum : sums_)
        add_to(args.out<float>(sum.output), reinterpret_cast<const float*>(scratch + sum.offset), sum.elements);
    }
    for (const Carried& state : states_)
      if (state.history >= 0 && state.final >= 0)
        std::memcpy(args.outputs[state.final], slot(args, state, reverse_ ? 0 : time_), state.bytes);
  }

 private:
  struct Sequence {
    std::size_t bytes;
    int base;
  };
  struct Carried {
    std::size_t bytes;
    int input;                            ///< of the node: the initial state
    int final;                            ///< output, or -1
    int history;                          ///< output, or -1
    int base = -1;                        ///< of the body's input, or -1 when the body does not read it
    std::array<std::size_t, 2> offset{};  ///< without history, the two buffers steps read and write in turn
  };
  struct Stacked {
    std::size_t bytes;
    int output;
  };
  struct Sum {
    std::int64_t elements;
    int output;
    std::size_t offset = 0;  ///< where one step's value lies
  };

  /// What a node of the body says of an element is of one step.
  void run_step(std::int64_t t) try { program_->run(); } catch (const GraphError& error) {
    throw GraphError(error.op(), fmt::format("{}, in step {} of {}", error.sentence(), t, time_), error.origin());
  }

  static void* address(void* base, std::size_t bytes, std::int64_t index) {
    return static_cast<std::byte*>(base) + bytes * static_cast<std::size_t>(index);
  }
  static void* slot(const KernelArgs& args, const Carried& state, std::int64_t index) {
    return address(args.outputs[state.history], state.bytes, index);
  }

  int base_of(const Value& value) const {
    for (const ProgramInput& input : program_->inputs)
      if (input.name == label_of(value)) return input.base;
    return -1;
  }
  void set(int base, void* address) {
    if (base >= 0) program_->bases[static_cast<std::size_t>(base)] = static_cast<std::byte*>(address);
  }

  void* before(const KernelArgs& args, const Carried& state, std::int64_t step, std::int64_t t,
               std::byte* scratch) const {
    if (state.history >= 0) return slot(args, state, reverse_ ? t + 1 : t);
    if (step == 0) return const_cast<void*>(args.inputs[state.input]);
    return scratch + state.offset[static_cast<std::size_t>(step % 2)];
  }
  void* after(const KernelArgs& args, const Carried& state, std::int64_t step, std::int64_t t,
              std::byte* scratch) const {
    if (state.history >= 0) return slot(args, state, reverse_ ? t : t + 1);
    if (step == time_ - 1 && state.final >= 0) return args.outputs[state.final];
    return scratch + state.offset[static_cast<std::size_t>((step + 1) % 2)];
  }

  void plan_scratch() {
    scratch_.take(program_->plan.arena_bytes);
    for (Carried& state : states_)
      if (state.history < 0) state.offset = {scratch_.take(state.bytes), scratch_.take(state.bytes)};
    for (Sum& sum : sums_) sum.offset = scratch_.take<float>(sum.elements);
  }

  std::int64_t time_;
  bool reverse_;
  std::shared_ptr<ProgramImpl> program_;
  std::vector<Sequence> sequences_;
  std::vector<Carried> states_;
  std::vector<int> captures_;
  std::vector<Stacked> stacked_;
  std::vector<Sum> sums_;
  ScratchPlan scratch_;
};

}  // namespace

Kernel ScanOp::make_kernel(const KernelContext& context) const {
  const auto loop = std::make_shared<Loop>(*this, context);
  return {
      .run =
          LoopKernel{.body = loop->body(), .steps = time_, .loop = [loop](const KernelArgs& args) { loop->run(args); }},
      .scratch_bytes = loop->scratch_bytes()};
}

}  // namespace eddy
