// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/recurrence.h"

#include "eddy/core/rnn_kernels.h"
#include "eddy/graph/builtin.h"
#include "eddy/graph/graph.h"
#include "eddy/ops/argument.h"
#include "eddy/ops/linear.h"
#include "eddy/ops/masked_linear.h"
#include "eddy/ops/matmul.h"
#include "eddy/ops/mul.h"
#include "eddy/ops/reshape.h"
#include "eddy/ops/slice.h"

namespace eddy {

Value states_after(Value states, bool reverse) {
  return reverse ? slice(states, 0, 0, states.dim(0) - 1) : slice(states, 0, 1, states.dim(0));
}

Value states_before(Value states, bool reverse) { return flatten(states_after(states, !reverse), 0, 1); }

Value final_state(Value states, bool reverse) { return at(states, reverse ? 0 : states.dim(0) - 1); }

Value masked(Value value, Value mask) { return mask ? value * expand_dims(mask, -1) : value; }

Value with_final(Value d_states, Value d_last, const TensorType& states, bool reverse) {
  if (!d_last) return d_states;
  const std::int64_t others = states.shape[0] - 1;
  const Value padded = pad(expand_dims(d_last, 0), 0, reverse ? 0 : others, reverse ? others : 0);
  return d_states ? add_n({d_states, padded}) : padded;
}

void check_layer(std::string_view op, std::int64_t gates, Operand x, Operand w_x, Operand w_h, Operand bias,
                 std::initializer_list<std::pair<const char*, Value>> states) {
  const TensorType input = value_of(op, x).type(), weights = value_of(op, w_x).type();
  require_argument(input.dtype == f32 && input.shape.rank() == 3, op, x, "x must be f32[time, batch, in], it is {}",
                   input);
  const std::int64_t in = input.shape[2];
  require_argument(
      weights.dtype == f32 && weights.shape.rank() == 2 && weights.shape[0] == in && weights.shape[1] % gates == 0, op,
      x, "w_x must be f32[{}, {} hidden], it is {}", in, gates, weights);
  const std::int64_t hidden = weights.shape[1] / gates;
  const auto require_type = [&](const char* name, const Value& value, const Shape& shape) {
    require_argument(value.type() == TensorType{f32, shape}, op, x, "{} must be {} beside x {} and w_x {}, it is {}",
                     name, TensorType{f32, shape}, input, weights, value.type());
  };
  require_type("w_h", value_of(op, w_h), {hidden, gates * hidden});
  require_type("bias", value_of(op, bias), {gates * hidden});
  for (const auto& [name, value] : states)
    if (value) require_type(name, value, {input.shape[1], hidden});
}

Value input_gates(std::string_view op, Operand x, Operand w_x, Operand bias, Value mask) {
  const Value input = value_of(op, x);
  if (!mask) return linear(x, w_x, bias);
  const std::int64_t time = input.dim(0), batch = input.dim(1);
  require_argument(mask.type() == TensorType{f32, {time, batch}}, op, x, "the mask must be {}, it is {}",
                   to_string({f32, {time, batch}}), to_string(mask.type()));
  const Value rows = flatten({input, x.where}, 0, 1);
  const Value gates = masked_linear({rows, x.where}, w_x, bias, flatten({mask, x.where}));
  return reshape({gates, x.where}, {time, batch, gates.dim(1)});
}

std::vector<Value> with_input_product(std::span<const Value> inputs, int mask) {
  const std::int64_t time = inputs[0].dim(0), batch = inputs[0].dim(1);
  if (time * batch <= kRnnInputRows) return {};
  const Value product = before_reshape(inputs[0]);
  std::vector<Value> made = plain_linear_inputs(product);
  if (made.empty() && mask >= 0) {
    made = masked_linear_inputs(product);
    // Rows that its mask left out must not be read by the steps.
    if (made.empty() || before_reshape(made[2]) != before_reshape(inputs[static_cast<std::size_t>(mask)])) return {};
    made.erase(made.begin() + 2);
  }
  if (made.empty() || made[0].dim(1) == 0) return {};
  made[0] = reshape(made[0], {time, batch, made[0].dim(1)});
  made.insert(made.end(), inputs.begin() + 1, inputs.end());
  return made;
}

Value weight_gradient(Value a, Value d, Value mask) {
  return mask ? masked_row_sum(a, d, flatten(mask)) : matmul(a, d, {.transpose_a = true});
}

void require_f32(const TensorType& type, const Shape& shape, const char* what) {
  require<GraphError>(type == TensorType{f32, shape}, "{} must be {}, it is {}", what, to_string({f32, shape}), type);
}

}  // namespace eddy
