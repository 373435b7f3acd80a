// SPDX-License-Identifier: Apache-2.0
#include "eddy/graph/program.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <iterator>

#include "eddy/core/denormals.h"
#include "eddy/core/number_text.h"
#include "eddy/core/resident_team.h"
#include "eddy/graph/program_impl.h"

namespace eddy {
Program::Program(std::unique_ptr<ProgramImpl> impl) : impl_(std::move(impl)) {}
Program::Program(Program&&) noexcept = default;
Program& Program::operator=(Program&&) noexcept = default;
Program::~Program() = default;

void fail_in(const Node& node, const Error& error, std::string_view prefix) {
  if (dynamic_cast<const MemoryError*>(&error) != nullptr)
    fail<MemoryError>("[{}] {}{}  {}", node.op->name(), prefix, error.what(), to_string(node.origin));
  const auto* known = dynamic_cast<const GraphError*>(&error);
  if (known != nullptr && !known->op().empty()) throw known->within({}, node.origin);
  throw GraphError(node.op->name(), fmt::format("{}{}", prefix, error.what()), node.origin);
}

void ProgramImpl::bind(std::span<const Binding> bindings) {
  if (threads != num_threads())
    fail<GraphError>("the program was compiled for {}, but num_threads() is {} now; set the number before compiling",
                     counted(threads, "thread"), num_threads());
  // Another program that wanted it larger may have lost it.
  if (options.arena->bytes() < plan.arena_bytes) options.arena->reserve(plan.arena_bytes);
  bases[0] = options.arena->data();
  std::ranges::fill(bound, 0);
  for (const Binding& binding : bindings) {
    const auto found = std::ranges::lower_bound(inputs, binding.name, std::less(), &ProgramInput::name);
    if (found == inputs.end() || found->name != binding.name) {
      std::vector<std::string_view> names;
      for (const ProgramInput& input : inputs) names.push_back(input.name);
      fail<GraphError>("the program has no input '{}'; its inputs are: {}", binding.name, fmt::join(names, ", "));
    }
    char& is_bound = bound[static_cast<std::size_t>(found - inputs.begin())];
    found->require(is_bound == 0, "'{}' is bound twice", found->name);
    is_bound = 1;
    found->require(static_cast<bool>(binding.tensor), "'{}' ({}) is bound to an empty tensor", found->name,
                   found->type);
    found->require(binding.tensor.type() == found->type, "'{}' is {}, but a tensor {} is bound", found->name,
                   found->type, binding.tensor.type());
    if (found->base < 0) continue;
    check_unwritten(*found, binding.tensor);
    bases[static_cast<std::size_t>(found->base)] = static_cast<std::byte*>(binding.tensor.data());
  }
  for (std::size_t i = 0; i < inputs.size(); ++i)
    inputs[i].require(bound[i] != 0 || !inputs[i].is_used, "'{}' ({}) is not bound", inputs[i].name, inputs[i].type);
}

void ProgramImpl::check_unwritten(const ProgramInput& input, const Tensor& tensor) const {
  const auto* begin = static_cast<const std::byte*>(tensor.data());
  const auto next = std::ranges::lower_bound(written, begin + tensor.bytes(), std::less(), &WrittenMemory::begin);
  if (next == written.begin()) return;
  const WrittenMemory& last = *std::prev(next);
  input.require(last.end <= begin, "'{}' ({}) is bound to the memory of {}, which the run writes; bind a clone() of it",
                input.name, input.type, last.what);
}

void ProgramImpl::prepare() {
  for (const Instruction& instruction : instructions) {
    if (!instruction.kernel.prepare) continue;
    void* const* first = addresses.data() + instruction.first_slot;
    instruction.kernel.prepare({first, first + instruction.inputs, first[instruction.inputs + instruction.outputs]});
  }
}

void ProgramImpl::run() {
  const FloatModes modes(FloatModes::without_denormals());
  if (clock != nullptr) return run_timed(*clock);
  for (const Instruction& instruction : instructions) execute(instruction);
}

void ProgramImpl::resolve() {
  for (std::size_t i = 0; i < slots.size(); ++i)
    addresses[i] = slots[i].base < 0 ? nullptr : bases[static_cast<std::size_t>(slots[i].base)] + slots[i].offset;
}

void ProgramImpl::execute(const Instruction& instruction) {
  void* const* first = addresses.data() + instruction.first_slot;
  try {
    instruction.kernel.run({first, first + instruction.inputs, first[instruction.inputs + instruction.outputs]});
  } catch (const Error& error) {
    fail_in(node(instruction), error);
  }
  if (options.check_finite) check_finite(instruction);
}

void ProgramImpl::check_finite(const Instruction& instruction) const {
  const Node& at = node(instruction);
  for (int output = 0; output < instruction.outputs; ++output) {
    const TensorType& type = at.outputs[static_cast<std::size_t>(output)];
    const auto* data = static_cast<const float*>(
        addresses[static_cast<std::size_t>(instruction.first_slot + instruction.inputs + output)]);
    if (type.dtype != f32 || data == nullptr) continue;
    for (std::int64_t i = 0, count = type.shape.elements(); i < count; ++i)
      if (!std::isfinite(data[i]))
        throw GraphError(at.op->name(),
                         fmt::format("yields {} at element {} of output {} {}", data[i], i, output, type), at.origin);
  }
}

ProgramImpl& Program::impl() const {
  require<UsageError>(impl_ != nullptr, "the program was moved to another one");
  return *impl_;
}

std::span<const Tensor> Program::run(std::span<const Binding> bindings) {
  ProgramImpl& program = impl();
  program.bind(bindings);
  program.resolve();
  if (program.keeps_team) {
    with_resident_team([&] { program.run(); });
  } else {
    program.run();
  }
  return program.results;
}

std::vector<ProgramInputInfo> Program::inputs() const {
  std::vector<ProgramInputInfo> result;
  for (const ProgramInput& input : impl().inputs)
    result.push_back({.name = input.name, .type = input.type, .is_used = input.is_used});
  return result;
}

const MemoryPlan& Program::memory_plan() const { return impl().plan; }

int Program::instruction_count() const { return static_cast<int>(impl().instructions.size()); }

Cost Program::cost() const { return impl().cost(); }

Cost ProgramImpl::cost() const {
  Cost sum;
  for (const Instruction& instruction : instructions) {
    const Node& at = node(instruction);
    const Cost cost = at.op->cost(input_types(at), at.outputs);
    sum.flops += cost.flops;
    sum.bytes += cost.bytes;
  }
  return sum;
}

}  // namespace eddy
