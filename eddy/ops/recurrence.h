// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal: part of ops.

#include <cstdint>
#include <initializer_list>
#include <string_view>
#include <utility>
#include <vector>

#include "eddy/graph/op.h"
#include "eddy/graph/value.h"
#include "eddy/ops/scratch_plan.h"

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
/// `d_states`, or zeros of type `states` when it is empty, with `d_last` added in the slot after the last step; without
/// `d_last`, `d_states` itself.
Value with_final(Value d_states, Value d_last, const TensorType& states, bool reverse);

/// Throws GraphError, with the line of `x`, unless the weights of a layer `op` with `gates` gates fit its input and
/// each other, and each of `states`, by name, fits both or is empty.
void check_layer(std::string_view op, std::int64_t gates, Operand x, Operand w_x, Operand w_h, Operand bias,
                 std::initializer_list<std::pair<const char*, Value>> states);

/// x w_x + bias of a layer `op`: [time, batch, in] → [time, batch, gates]. With a mask f32[time, batch], what it leaves
/// out is neither computed nor used. Throws GraphError, with the line of `x`, when sizes do not fit.
Value input_gates(std::string_view op, Operand x, Operand w_x, Operand bias, Value mask);

/// The inputs of a recurrence with x [time, batch, in], w_x and bias, which input_gates() made the first one of, in its
/// place; nothing when that is not what made it, or when the recurrence gains nothing by making it itself, a few steps
/// at a time. `mask`: which input is the mask; -1: none.
std::vector<Value> with_input_product(std::span<const Value> inputs, int mask);

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

/// The same for a recurrence that makes the product of its input, [time, batch, in], with w_x, input 1, itself.
template <class Derived>
struct InputRecurrenceOp : OpClass<Derived> {
  Cost cost(std::span<const TensorType> inputs, std::span<const TensorType> outputs) const override {
    Cost cost = Op::cost(inputs, outputs);
    const Shape &x = inputs[0].shape, &w_x = inputs[1].shape, &states = outputs[0].shape;
    cost.flops += 2.0 * static_cast<double>(x[0] * x[1] * w_x[1]) * static_cast<double>(w_x[0] + states[2]);
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

}  // namespace eddy
