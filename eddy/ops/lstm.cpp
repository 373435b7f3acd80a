// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/lstm.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "eddy/core/rnn_kernels.h"
#include "eddy/graph/gradient_through.h"
#include "eddy/graph/graph.h"
#include "eddy/ops/elementwise.h"
#include "eddy/ops/op_case.h"
#include "eddy/ops/recurrence.h"
#include "eddy/ops/recurrence_case.h"
#include "eddy/ops/recurrence_equations.h"
#include "eddy/ops/reshape.h"

namespace eddy {
namespace {

/// Options of the recurrence, and which of its optional inputs are there.
struct LstmAttributes {
  bool reverse = false;
  bool hard_sigmoid = false;
  bool has_h0 = false;
  bool has_c0 = false;
  bool has_mask = false;

  static void attributes(auto& op, auto&& visit) {
    visit("reverse", op.reverse);
    visit("hard_sigmoid", op.hard_sigmoid);
    visit("has_h0", op.has_h0);
    visit("has_c0", op.has_c0);
    visit("has_mask", op.has_mask);
  }
  LstmConfig config(const Shape& gates) const {
    return {
        .time = gates[0], .batch = gates[1], .hidden = gates[2] / 4, .reverse = reverse, .hard_sigmoid = hard_sigmoid};
  }
};

struct LstmGradient final : RecurrenceOp<LstmGradient, 4>, LstmAttributes {
  static constexpr std::string_view kName = "lstm_recurrence_gradient";
  bool has_d_h, has_d_c;

  LstmGradient(const LstmAttributes& base, bool d_h, bool d_c) : LstmAttributes(base), has_d_h(d_h), has_d_c(d_c) {}
  static void attributes(auto& op, auto&& visit) {
    LstmAttributes::attributes(op, visit);
    visit("has_d_h", op.has_d_h);
    visit("has_d_c", op.has_d_c);
  }

  // inputs: gates, states_c, w_h, then those present of mask, d_states_h, d_states_c; outputs: d_gates, d_h0, d_c0
  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override {
    const Shape& gates = inputs[0].shape;
    const TensorType state{f32, {gates[1], gates[2] / 4}};
    return {inputs[0], state, state};
  }
  std::vector<Alias> aliases(std::span<const TensorType>, std::span<const TensorType>) const override {
    return {{.output = 0, .input = 0, .kind = Alias::Kind::share}};
  }
  Kernel make_kernel(const KernelContext& context) const override {
    const LstmKernel kernel(config(context.inputs[0].shape));
    ScratchPlan scratch(kernel.backward_scratch_bytes());
    const std::size_t gates_at = scratch.take_for_unused(context, 0);
    const std::size_t h0_at = scratch.take_for_unused(context, 1);
    const std::size_t c0_at = scratch.take_for_unused(context, 2);
    const auto [mask, d_h, d_c] = optional_inputs();
    return {.run =
                [=, mask = mask, d_h = d_h, d_c = d_c](const KernelArgs& args) {
                  kernel.backward({.gates = args.in<float>(0),
                                   .states_c = args.in<float>(1),
                                   .w_h = args.in<float>(2),
                                   .mask = input_or_null(args, mask),
                                   .d_states_h = input_or_null(args, d_h),
                                   .d_states_c = input_or_null(args, d_c),
                                   .d_gates = output_or_scratch(args, 0, gates_at),
                                   .d_h0 = output_or_scratch(args, 1, h0_at),
                                   .d_c0 = output_or_scratch(args, 2, c0_at)},
                                  args.scratch);
                },
            .scratch_bytes = scratch.bytes()};
  }
  std::vector<Gradient> gradient(const GradientContext& context) const override {
    return gradient_through(context, [this](std::span<const Value> in) -> std::vector<Value> {
      const auto [mask, d_h, d_c] = optional_inputs();
      const auto d = LstmGradientLoop{.gates = in[0],
                                      .states_c = in[1],
                                      .w_h = in[2],
                                      .mask = input_or_none(in, mask),
                                      .d_states_h = input_or_none(in, d_h),
                                      .d_states_c = input_or_none(in, d_c),
                                      .reverse = reverse,
                                      .hard_sigmoid = hard_sigmoid}();
      return {d.d_gates, d.d_h0, d.d_c0};
    });
  }

 private:
  struct Optional {
    int mask, d_h, d_c;
  };
  Optional optional_inputs() const {
    OptionalInputs optional(3);
    return {optional.next(has_mask), optional.next(has_d_h), optional.next(has_d_c)};
  }
};

/// What a recurrence comes to without gradients: gates that need not be kept are made a few steps at a time.
struct LstmInference final : InputRecurrenceOp<LstmInference>, LstmAttributes {
  static constexpr std::string_view kName = "lstm_inference";
  using LstmAttributes::attributes;

  explicit LstmInference(const LstmAttributes& base) : LstmAttributes(base) {}

  // inputs: x, w_x, bias, w_h, then those present of h0, c0, mask; outputs: states_h, c after the last step
  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override {
    const Shape& x = inputs[0].shape;
    const std::int64_t hidden = inputs[3].shape[0];
    return {{f32, {x[0] + 1, x[1], hidden}}, {f32, {x[1], hidden}}};
  }
  Kernel make_kernel(const KernelContext& context) const override {
    const Shape& x = context.inputs[0].shape;
    LstmConfig layer = config({x[0], x[1], context.inputs[1].shape[1]});
    layer.input = x[2];
    const LstmKernel kernel(layer);
    ScratchPlan scratch(kernel.forward_scratch_bytes());
    const std::size_t states_at = scratch.take_for_unused(context, 0);
    const std::size_t last_at = scratch.take_for_unused(context, 1);
    OptionalInputs optional(4);
    const int h0 = optional.next(has_h0), c0 = optional.next(has_c0), mask = optional.next(has_mask);
    return {.run =
                [=](const KernelArgs& args) {
                  kernel.forward({.gates_x = nullptr,
                                  .w_h = args.in<float>(3),
                                  .h0 = input_or_null(args, h0),
                                  .c0 = input_or_null(args, c0),
                                  .mask = input_or_null(args, mask),
                                  .states_h = output_or_scratch(args, 0, states_at),
                                  .c_last = output_or_scratch(args, 1, last_at),
                                  .input = {args.in<float>(0), args.in<float>(1), args.in<float>(2)}},
                                 args.scratch);
                },
            .scratch_bytes = scratch.bytes()};
  }
};

struct LstmRecurrence final : RecurrenceOp<LstmRecurrence, 4>, LstmAttributes {
  static constexpr std::string_view kName = "lstm_recurrence";
  using LstmAttributes::attributes;

  explicit LstmRecurrence(const LstmAttributes& base) : LstmAttributes(base) {}

  // inputs: x w_x + bias, w_h, then those present of h0, c0, mask
  // outputs: states_h, states_c, gates, c after the last step (so that inference need not keep states_c)
  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override {
    const Shape& gates = inputs[0].shape;
    require<GraphError>(inputs[0].dtype == f32 && gates.rank() == 3 && gates[2] % 4 == 0,
                        "x w_x + bias must be f32[time, batch, 4 hidden], it is {}", inputs[0]);
    const std::int64_t hidden = gates[2] / 4;
    require_f32(inputs[1], {hidden, 4 * hidden}, "w_h");
    std::size_t next = 2;
    if (has_h0) require_f32(inputs[next++], {gates[1], hidden}, "h0");
    if (has_c0) require_f32(inputs[next++], {gates[1], hidden}, "c0");
    if (has_mask) require_f32(inputs[next++], {gates[0], gates[1]}, "the mask");
    const TensorType states{f32, {gates[0] + 1, gates[1], hidden}};
    return {states, states, inputs[0], {f32, {gates[1], hidden}}};
  }
  std::vector<Gradient> gradient(const GradientContext& context) const override {
    const auto [h0, c0, mask] = optional_inputs();
    require<GraphError>(mask < 0 || !context.needs(mask), "has no gradient with respect to its mask");
    // Only a gradient of a gradient depends on the gates after activation.
    if (context.d_out(2)) return gradient_through(context, [this](std::span<const Value> in) { return equal(in); });
    const Value d_h = context.d_out(0);
    const Value d_c = with_final(context.d_out(1), context.d_out(3), context.out(1).type(), reverse);
    std::vector<Value> inputs{context.out(2), context.out(1), context.in(1)};
    if (has_mask) inputs.push_back(context.in(mask));
    if (d_h) inputs.push_back(d_h);
    if (d_c) inputs.push_back(d_c);
    const LstmGradient op(*this, static_cast<bool>(d_h), static_cast<bool>(d_c));
    Graph& graph = context.in(0).graph();
    const std::vector<Value> d = graph.outputs(add_node(graph, op, inputs, SourceLocation::current()));
    std::vector<Gradient> result(context.inputs.size());
    result[0] = d[0];
    if (context.needs(1))
      result[1] = weight_gradient(states_before(context.out(0), reverse), flatten(d[0], 0, 1),
                                  input_or_none(context.inputs, mask));
    if (has_h0) result[static_cast<std::size_t>(h0)] = d[1];
    if (has_c0) result[static_cast<std::size_t>(c0)] = d[2];
    return result;
  }
  std::vector<Value> lower(std::span<const Value> inputs, const std::vector<bool>& used,
                           const PassSwitches&) const override {
    if (used[1] || used[2]) return {};
    const std::vector<Value> from = with_input_product(inputs, optional_inputs().mask);
    if (from.empty()) return {};
    const std::vector<Value> out =
        Graph::outputs(add_node(inputs[0].graph(), LstmInference(*this), from, SourceLocation::current()));
    return {out[0], Value(), Value(), out[1]};
  }
  std::vector<Alias> aliases(std::span<const TensorType>, std::span<const TensorType>) const override {
    return {{.output = 2, .input = 0, .kind = Alias::Kind::share}};
  }
  Kernel make_kernel(const KernelContext& context) const override {
    const LstmKernel kernel(config(context.inputs[0].shape));
    ScratchPlan scratch(kernel.forward_scratch_bytes());
    const std::size_t states_at = scratch.take_for_unused(context, 0);
    const std::size_t last_at = scratch.take_for_unused(context, 3);
    const auto [h0, c0, mask] = optional_inputs();
    const std::int64_t state = context.outputs[3].shape.elements();
    const std::int64_t final_slot = reverse ? 0 : context.outputs[1].shape[0] - 1;
    return {.run =
                [=, h0 = h0, c0 = c0, mask = mask](const KernelArgs& args) {
                  float* states_c = args.out<float>(1);
                  float* last = output_or_scratch(args, 3, last_at);
                  kernel.forward({.gates_x = args.in<float>(0),
                                  .w_h = args.in<float>(1),
                                  .h0 = input_or_null(args, h0),
                                  .c0 = input_or_null(args, c0),
                                  .mask = input_or_null(args, mask),
                                  .states_h = output_or_scratch(args, 0, states_at),
                                  .states_c = states_c,
                                  .gates = args.out<float>(2),
                                  .c_last = last},
                                 args.scratch);
                  if (states_c != nullptr) std::copy_n(states_c + final_slot * state, state, last);
                },
            .scratch_bytes = scratch.bytes()};
  }

 private:
  struct Optional {
    int h0, c0, mask;
  };
  Optional optional_inputs() const {
    OptionalInputs optional(2);
    return {optional.next(has_h0), optional.next(has_c0), optional.next(has_mask)};
  }
  /// The outputs made of small ops.
  std::vector<Value> equal(std::span<const Value> in) const {
    const auto [h0, c0, mask] = optional_inputs();
    const auto made = LstmLoop{.gates_x = in[0],
                               .w_h = in[1],
                               .h0 = input_or_none(in, h0),
                               .c0 = input_or_none(in, c0),
                               .mask = input_or_none(in, mask),
                               .reverse = reverse,
                               .hard_sigmoid = hard_sigmoid}();
    return {made.states_h, made.states_c, made.gates, made.last_c};
  }
};

}  // namespace

LstmResult lstm(Operand x, Operand w_x, Operand w_h, Operand bias, const LstmOptions& options) {
  const Value input = value_of("lstm", x);
  Graph& graph = input.graph();
  const OriginScope origin(x.where);
  const bool reverse = options.reverse;
  check_layer("lstm", 4, x, w_x, w_h, bias, {{"h0", options.h0}, {"c0", options.c0}});
  std::vector<Value> inputs{input_gates("lstm", x, w_x, bias, options.mask), value_of("lstm", w_h)};
  if (options.h0) inputs.push_back(options.h0);
  if (options.c0) inputs.push_back(options.c0);
  if (options.mask) inputs.push_back(options.mask);
  const LstmRecurrence op({.reverse = reverse,
                           .hard_sigmoid = options.hard_sigmoid,
                           .has_h0 = static_cast<bool>(options.h0),
                           .has_c0 = static_cast<bool>(options.c0),
                           .has_mask = static_cast<bool>(options.mask)});
  const std::vector<Value> out = graph.outputs(add_node(graph, op, inputs, x.where));
  return {.outputs = masked(states_after(out[0], reverse), options.mask),
          .final_h = final_state(out[0], reverse),
          .final_c = out[3],
          .all_c = states_after(out[1], reverse)};
}

namespace {

using namespace recurrence_case;

/// One row at a time, one step at a time. inputs: x, w_x, w_h, bias, h0, c0, mask.
FlatArrays reference(std::span<const std::vector<double>> in, bool reverse, bool hard) {
  FlatArrays out{std::vector<double>(kTime * kBatch * kHidden), in[4], in[5],
                 std::vector<double>(kTime * kBatch * kHidden)};
  std::vector<double>& h = out[1];
  std::vector<double>& c = out[2];
  for (std::size_t step = 0; step < kTime; ++step)
    for (std::size_t b = 0; b < kBatch; ++b) {
      const std::size_t t = reverse ? kTime - 1 - step : step;
      const bool active = in[6][t * kBatch + b] != 0;
      std::vector<double> z(in[3]);
      for (std::size_t j = 0; j < z.size(); ++j) {
        for (std::size_t k = 0; k < kIn; ++k) z[j] += in[0][(t * kBatch + b) * kIn + k] * in[1][k * z.size() + j];
        for (std::size_t k = 0; k < kHidden; ++k) z[j] += h[b * kHidden + k] * in[2][k * z.size() + j];
      }
      for (std::size_t j = 0; j < kHidden; ++j) {
        const std::size_t at = b * kHidden + j;
        if (active) {
          c[at] =
              gate_function(z[kHidden + j], hard) * c[at] + gate_function(z[j], hard) * std::tanh(z[2 * kHidden + j]);
          h[at] = gate_function(z[3 * kHidden + j], hard) * std::tanh(c[at]);
        }
        out[0][(t * kBatch + b) * kHidden + j] = active ? h[at] : 0;
        out[3][(t * kBatch + b) * kHidden + j] = c[at];
      }
    }
  return out;
}

OpCase lstm_case(std::string name, bool reverse, bool hard) {
  return {
      .name = std::move(name),
      .inputs = {{{f32, {4, 3, 2}}, -1, 1},
                 {{f32, {2, 12}}, -1, 1},
                 {{f32, {3, 12}}, -1, 1},
                 {{f32, {12}}, -1, 1},
                 {{f32, {3, 3}}, -1, 1},
                 {{f32, {3, 3}}, -1, 1},
                 mask_input()},
      .build = [=](Graph&, std::span<const Value> in) -> std::vector<Value> {
        const LstmResult result =
            lstm(in[0], in[1], in[2], in[3],
                 {.h0 = in[4], .c0 = in[5], .mask = in[6], .reverse = reverse, .hard_sigmoid = hard});
        return {result.outputs, result.final_h, result.final_c, result.all_c};
      },
      .reference = [=](std::span<const std::vector<double>> in) { return reference(in, reverse, hard); },
  };
}

const RegisterOpCase case_masked{lstm_case("lstm_recurrence/masked", false, false)};
const RegisterOpCase case_reverse{lstm_case("lstm_recurrence/masked_reverse", true, false)};
const RegisterOpCase case_hard{lstm_case("lstm_recurrence/hard_sigmoid", false, true)};
const RegisterOpCase case_plain{{
    .name = "lstm_recurrence",
    .inputs = {{{f32, {4, 3, 2}}, -1, 1}, {{f32, {2, 12}}, -1, 1}, {{f32, {3, 12}}, -1, 1}, {{f32, {12}}, -1, 1}},
    .build = [](Graph&, std::span<const Value> in) -> std::vector<Value> {
      const LstmResult result = lstm(in[0], in[1], in[2], in[3]);
      return {result.outputs, result.final_c};
    },
    .reference =
        [](std::span<const std::vector<double>> in) {
          std::vector<std::vector<double>> all(in.begin(), in.end());
          all.emplace_back(kBatch * kHidden, 0.0);
          all.emplace_back(kBatch * kHidden, 0.0);
          all.emplace_back(kTime * kBatch, 1.0);
          FlatArrays out = reference(all, false, false);
          return FlatArrays{out[0], out[2]};
        },
    .bench_inputs = {{{f32, {100, 32, 256}}, -0.5F, 0.5F},
                     {{f32, {256, 2048}}, -0.05F, 0.05F},
                     {{f32, {512, 2048}}, -0.05F, 0.05F},
                     {{f32, {2048}}, -0.1F, 0.1F}},
}};

}  // namespace
}  // namespace eddy
