// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/recurrence_equations.h"

#include "eddy/graph/builder_scope.h"
#include "eddy/graph/builtin.h"
#include "eddy/ops/add.h"
#include "eddy/ops/compare.h"
#include "eddy/ops/concat.h"
#include "eddy/ops/hard_sigmoid.h"
#include "eddy/ops/logical.h"
#include "eddy/ops/matmul.h"
#include "eddy/ops/mul.h"
#include "eddy/ops/recurrence.h"
#include "eddy/ops/reshape.h"
#include "eddy/ops/scan.h"
#include "eddy/ops/sigmoid.h"
#include "eddy/ops/slice.h"
#include "eddy/ops/square.h"
#include "eddy/ops/sub.h"
#include "eddy/ops/tanh.h"
#include "eddy/ops/where.h"

namespace eddy {
namespace {

/// dy times the derivative of a gate with output y.
Value gate_gradient(Value dy, Value y, bool hard) {
  return hard ? where(logical_and(greater(y, 0), less(y, 1)), dy * 0.2F, 0) : dy * y * (1 - y);
}

Value tanh_gradient(Value dy, Value y) { return dy * (1 - square(y)); }

Value or_zeros(Value value, Value like, const Shape& shape) {
  return value ? value : full(like.graph(), {f32, shape}, 0);
}

/// All slots of a state: the one before the first step and those after each.
Value slots(Value initial, Value later, bool reverse) {
  const Value first = expand_dims(initial, 0);
  return reverse ? concat({later, first}, 0) : concat({first, later}, 0);
}

Value slots_before(Value states, bool reverse) { return states_after(states, !reverse); }
Value first_slot(Value states, bool reverse) { return final_state(states, !reverse); }

/// What the rows of a step have to do with its mask.
class Active {
 public:
  explicit Active(Value mask) : active_(mask ? greater(expand_dims(mask, -1), 0) : Value()) {}

  /// f32[time, batch, …] with zeros at masked steps, where the kernels leave memory as it was.
  Value written(Value sequence) const { return active_ ? where(active_, sequence, 0) : sequence; }
  /// Adds bool[time, batch, 1] to what a step reads.
  void add_to(std::vector<Value>& sequences) const {
    if (active_) sequences.push_back(active_);
  }

 private:
  Value active_;
};

/// `value` in the rows that the last of `in`, if there are more than `others`, marks as active; else `otherwise`.
Value select(std::span<const Value> in, std::size_t others, Value value, Operand otherwise) {
  return in.size() > others ? where(in.back(), value, otherwise) : value;
}

}  // namespace

Value gate(Value x, bool hard, SourceLocation where) {
  const BuilderScope at("gate", "x", x, where);
  return hard ? hard_sigmoid(x) : sigmoid(x);
}

LstmUpdate lstm_update(Value x, Value c, bool hard_sigmoid, SourceLocation where) {
  const BuilderScope at("lstm_update", "c", c, where);
  at.expect("c", c, f32, {"batch", "hidden"});
  at.expect("x", x, f32, {c.dim(0), 4 * c.dim(1)});
  const auto [x_i, x_f, x_g, x_o] = split<4>(x, 1);
  LstmUpdate s{.i = gate(x_i, hard_sigmoid),
               .f = gate(x_f, hard_sigmoid),
               .g = tanh(x_g),
               .o = gate(x_o, hard_sigmoid),
               .c = {},
               .h = {}};
  s.c = s.f * c + s.i * s.g;
  s.h = s.o * tanh(s.c);
  return s;
}

GruUpdate gru_update(Value x, Value h, const GruWeights& weights, SourceLocation where) {
  const BuilderScope at("gru_update", "h", h, where);
  at.expect("h", h, f32, {"batch", "hidden"});
  const bool hard = weights.hard_sigmoid;
  const std::int64_t hidden = h.dim(1);
  at.expect("x", x, f32, {h.dim(0), 3 * hidden});
  at.expect("weights.w_h", weights.w_h, f32, {hidden, 3 * hidden});
  if (weights.bias) at.expect("weights.bias", weights.bias, f32, {3 * hidden});
  const auto [x_r, x_z, x_n] = split<3>(x, 1);
  GruUpdate s;
  if (weights.reset_after) {
    Value product = matmul(h, weights.w_h);
    if (weights.bias) product = product + weights.bias;
    const auto [h_r, h_z, h_n] = split<3>(product, 1);
    s.r = gate(x_r + h_r, hard);
    s.z = gate(x_z + h_z, hard);
    s.extra = h_n;
    s.n = tanh(x_n + s.r * h_n);
  } else {
    const std::vector<Value> u = split(weights.w_h, std::vector<std::int64_t>{2 * hidden, hidden}, 1);
    const auto [h_r, h_z] = split<2>(matmul(h, u[0]), 1);
    s.r = gate(x_r + h_r, hard);
    s.z = gate(x_z + h_z, hard);
    s.extra = s.r * h;
    s.n = tanh(x_n + matmul(s.extra, u[1]));
  }
  s.h = (1 - s.z) * s.n + s.z * h;
  return s;
}

LstmLoop::Result LstmLoop::operator()() const {
  const Shape state{gates_x.dim(1), w_h.dim(0)};
  const State initial{{"h", or_zeros(h0, gates_x, state)}, {"c", or_zeros(c0, gates_x, state)}};
  const auto step = [&](Value x, const State& before) -> Step {
    const LstmUpdate s = lstm_update(x + matmul(before["h"], w_h), before["c"], hard_sigmoid);
    return {.output = concat({s.i, s.f, s.g, s.o}, 1), .state = {{"h", s.h}, {"c", s.c}}};
  };
  const ScanResult run = scan(step, gates_x, initial, {.mask = mask, .reverse = reverse});
  return {.states_h = slots(initial["h"], run.states["h"], reverse),
          .states_c = slots(initial["c"], run.states["c"], reverse),
          .gates = run.output,
          .last_c = run.last["c"]};
}

LstmGradientLoop::Result LstmGradientLoop::operator()() const {
  const Value d_h = or_zeros(d_states_h, gates, states_c.shape());
  const Value d_c = or_zeros(d_states_c, gates, states_c.shape());
  const Active active(mask);
  std::vector<Value> sequences{active.written(gates), slots_before(states_c, reverse), states_after(states_c, reverse),
                               states_after(d_h, reverse), states_after(d_c, reverse)};
  const std::size_t others = sequences.size();
  active.add_to(sequences);
  const auto step = [&](std::span<const Value> in, const State& carry) -> Step {
    const auto [i, f, g, o] = split<4>(in[0], 1);
    const Value tanh_c = tanh(in[2]);
    const Value dh = carry["h"] + in[3];
    const Value dc_after = carry["c"] + in[4];
    const Value dc = dc_after + tanh_gradient(dh * o, tanh_c);
    const Value d = concat({gate_gradient(dc * g, i, hard_sigmoid), gate_gradient(dc * in[1], f, hard_sigmoid),
                            tanh_gradient(dc * i, g), gate_gradient(dh * tanh_c, o, hard_sigmoid)},
                           1);
    return {.output = select(in, others, d, 0),
            .state = {{"h", select(in, others, matmul(d, w_h, {.transpose_b = true}), dh)},
                      {"c", select(in, others, dc * f, dc_after)}}};
  };
  const State none = zero_state(gates, {"h", "c"}, {gates.dim(1), w_h.dim(0)});
  const ScanResult run = scan(step, sequences, none, {.reverse = !reverse});
  return {.d_gates = run.output,
          .d_h0 = run.last["h"] + first_slot(d_h, reverse),
          .d_c0 = run.last["c"] + first_slot(d_c, reverse)};
}

GruLoop::Result GruLoop::operator()() const {
  const State initial{{"h", or_zeros(h0, gates_x, {gates_x.dim(1), weights.w_h.dim(0)})}};
  const auto step = [&](Value x, const State& before) -> Step {
    const GruUpdate s = gru_update(x, before["h"], weights);
    return {.output = concat({s.r, s.z, s.n}, 1), .state = {{"h", s.h}}, .outputs = {{"extra", s.extra}}};
  };
  const ScanResult run = scan(step, gates_x, initial, {.mask = mask, .reverse = reverse});
  return {.states = slots(initial["h"], run.states["h"], reverse), .gates = run.output, .extra = run.outputs["extra"]};
}

GruGradientLoop::Result GruGradientLoop::operator()() const {
  const bool hard = weights.hard_sigmoid;
  const std::int64_t hidden = weights.w_h.dim(0);
  const std::vector<Value> u = split(weights.w_h, std::vector<std::int64_t>{2 * hidden, hidden}, 1);
  const Active active(mask);
  std::vector<Value> sequences{active.written(gates), active.written(extra), slots_before(states, reverse),
                               states_after(d_states, reverse)};
  const std::size_t others = sequences.size();
  active.add_to(sequences);
  const auto step = [&](std::span<const Value> in, const State& carry) -> Step {
    const auto [r, z, n] = split<3>(in[0], 1);
    const Value h = in[2];
    const Value dh = carry["h"] + in[3];
    const Value dz = gate_gradient(dh * (h - n), z, hard);
    const Value dn = tanh_gradient(dh * (1 - z), n);
    Step result;
    Value before = dh * z;
    Value dr;
    if (weights.reset_after) {
      dr = gate_gradient(dn * in[1], r, hard);
      const Value d_h = concat({dr, dz, dn * r}, 1);
      before = before + matmul(d_h, weights.w_h, {.transpose_b = true});
      result.outputs.set("d_gates_h", select(in, others, d_h, 0));
    } else {
      const Value d_reset = matmul(dn, u[1], {.transpose_b = true});
      dr = gate_gradient(d_reset * h, r, hard);
      before = before + d_reset * r + matmul(concat({dr, dz}, 1), u[0], {.transpose_b = true});
    }
    result.output = select(in, others, concat({dr, dz, dn}, 1), 0);
    result.state.set("h", select(in, others, before, dh));
    return result;
  };
  const ScanResult run = scan(step, sequences, zero_state(gates, {"h"}, {gates.dim(1), hidden}), {.reverse = !reverse});
  return {.d_gates_x = run.output,
          .d_h0 = run.last["h"] + first_slot(d_states, reverse),
          .d_gates_h = weights.reset_after ? run.outputs["d_gates_h"] : Value()};
}

}  // namespace eddy
