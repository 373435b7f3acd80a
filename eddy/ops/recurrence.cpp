// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/recurrence.h"

#include "eddy/graph/builtin.h"
#include "eddy/graph/graph.h"
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

void require_f32(const TensorType& type, const Shape& shape, const char* what) {
  require<GraphError>(type == TensorType{f32, shape}, "{} must be {}, it is {}", what, to_string({f32, shape}),
                      to_string(type));
}

}  // namespace eddy
