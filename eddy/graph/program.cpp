// SPDX-License-Identifier: Apache-2.0
#include "eddy/graph/program.h"

#include <algorithm>
#include <cmath>

#include "eddy/core/resident_team.h"
#include "eddy/graph/program_impl.h"

namespace eddy {
Program::Program(std::unique_ptr<ProgramImpl> impl) : impl_(std::move(impl)) {}
Program::Program(Program&&) noexcept = default;
Program& Program::operator=(Program&&) noexcept = default;
Program::~Program() = default;

void fail_in(const Node& node, const Error& error) { throw GraphError(node.op->name(), error.what(), node.origin); }

void ProgramImpl::bind(std::span<const Binding> bindings) {
  require<GraphError>(threads == num_threads(),
                      "the program was compiled for {} threads, but {} are set now; set the number before compiling",
                      threads, num_threads());
  for (const Binding& binding : bindings) {
    const auto matches = [&](const auto& input) { return input == binding.name; };
    if (std::ranges::any_of(inputs, matches, &ProgramInput::name) || std::ranges::any_of(unused_inputs, matches))
      continue;
    std::vector<std::string> names = unused_inputs;
    for (const ProgramInput& input : inputs) names.push_back(input.name);
    fail<GraphError>("the program has no input '{}'; its inputs are: {}", binding.name, fmt::join(names, ", "));
  }
  bases[0] = options.arena->data();
  for (const ProgramInput& input : inputs) {
    const auto binding = std::ranges::find_if(bindings, [&](const Binding& b) { return b.name == input.name; });
    require<GraphError>(binding != bindings.end(), "input '{}' ({}) is not bound", input.name, to_string(input.type));
    require<GraphError>(static_cast<bool>(binding->tensor), "input '{}' ({}) is bound to an empty tensor", input.name,
                        to_string(input.type));
    require<GraphError>(binding->tensor.type() == input.type, "input '{}' is {}, but a tensor {} is bound", input.name,
                        to_string(input.type), to_string(binding->tensor.type()));
    bases[static_cast<std::size_t>(input.base)] = static_cast<std::byte*>(binding->tensor.data());
  }
}

void ProgramImpl::prepare() {
  for (const Instruction& instruction : instructions) {
    if (!instruction.kernel.prepare) continue;
    void* const* first = addresses.data() + instruction.first_slot;
    instruction.kernel.prepare({first, first + instruction.inputs, first[instruction.inputs + instruction.outputs]});
  }
}

void ProgramImpl::run() {
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
    for (std::int64_t i = 0; i < type.shape.elements(); ++i)
      if (!std::isfinite(data[i]))
        throw GraphError(at.op->name(),
                         fmt::format("yields {} at element {} of output {} {}", data[i], i, output, to_string(type)),
                         at.origin);
  }
}

std::span<const Tensor> Program::run(std::span<const Binding> bindings) {
  impl_->bind(bindings);
  impl_->resolve();
  if (impl_->keeps_team) {
    with_resident_team([&] { impl_->run(); });
  } else {
    impl_->run();
  }
  return impl_->results;
}

const MemoryPlan& Program::memory_plan() const { return impl_->plan; }

int Program::instruction_count() const { return static_cast<int>(impl_->instructions.size()); }

Cost Program::cost() const { return impl_->cost(); }

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
