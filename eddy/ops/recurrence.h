// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal: part of ops.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "eddy/core/tensor.h"
#include "eddy/graph/op.h"
#include "eddy/graph/value.h"

namespace eddy {

// What the LSTM and GRU layers share. States have time + 1 slots [time + 1, batch, hidden]: a forward layer starts from
// slot 0 and leaves the state after step t in slot t + 1; a reverse layer starts from slot `time` and leaves it in slot
// t.

/// The states after each step: [time, batch, hidden], a view.
Value states_after(Value states, bool reverse);
/// The states before each step, as rows [time * batch, hidden]: a view.
Value states_before(Value states, bool reverse);
/// The state after the last step: [batch, hidden], a view.
Value final_state(Value states, bool reverse);
/// `value` f32[time, batch, hidden] with zeros where `mask` f32[time, batch] is 0; itself without a mask.
Value masked(Value value, Value mask);
/// Zeros for a missing gradient of states, plus, in the slot after the last step, `last`. Empty when both are.
Value with_final(Value d_states, Value d_last, const TensorType& states, bool reverse);

/// x w_x + bias of a layer `op`: [time, batch, in] → [time, batch, gates]. With a mask f32[time, batch], what it leaves
/// out is neither computed nor used. Throws GraphError, with the line of `x`, when sizes do not fit.
Value input_gates(std::string_view op, Operand x, Operand w_x, Operand bias, Value mask);
/// The gradient of weights: the sum over all rows that the mask, if there, leaves of a[row]^T d[row].
Value weight_gradient(Value a, Value d, Value mask);

/// Throws GraphError unless `type` is f32[shape].
void require_f32(const TensorType& type, const Shape& shape, const char* what);

/// What the recurrence ops of both layers cost: input 0 is f32[time, batch, kGates * hidden], and most of the work is
/// the product with w_h.
template <class Derived, int kGates>
struct RecurrenceOp : OpClass<Derived> {
  Cost cost(std::span<const TensorType> inputs, std::span<const TensorType> outputs) const override {
    Cost cost = Op::cost(inputs, outputs);
    const Shape& gates = inputs[0].shape;
    cost.flops += 2.0 * static_cast<double>(gates.elements()) * static_cast<double>(gates[2]) / kGates;
    return cost;
  }
};

/// Where the optional inputs of an op stand, after `first` others: -1 for one that is missing.
class OptionalInputs {
 public:
  explicit OptionalInputs(int first) : next_(first) {}
  int next(bool there) { return there ? next_++ : -1; }

 private:
  int next_;
};
inline const float* input_or_null(const KernelArgs& args, int index) {
  return index < 0 ? nullptr : args.in<float>(index);
}
inline Value input_or_none(std::span<const Value> inputs, int index) {
  return index < 0 ? Value() : inputs[static_cast<std::size_t>(index)];
}

/// Where a kernel writes an output nobody reads: a piece of scratch memory instead.
class ScratchPlan {
 public:
  explicit ScratchPlan(std::size_t first_bytes) : bytes_(aligned(first_bytes)) {}
  /// Offset of room for `type` when it is needed.
  std::size_t add(bool needed, const TensorType& type) {
    const std::size_t offset = bytes_;
    if (needed) bytes_ += aligned(type.bytes());
    return offset;
  }
  std::size_t bytes() const { return bytes_; }

 private:
  static std::size_t aligned(std::size_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }
  std::size_t bytes_;
};

/// Output `index`, or scratch memory at `offset` when nobody reads it.
inline float* output_or_scratch(const KernelArgs& args, int index, std::size_t offset) {
  if (float* out = args.out<float>(index)) return out;
  return reinterpret_cast<float*>(static_cast<std::byte*>(args.scratch) + offset);
}

}  // namespace eddy
