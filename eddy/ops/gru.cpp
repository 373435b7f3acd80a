// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/gru.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "eddy/core/rnn_kernels.h"
#include "eddy/graph/gradient_through.h"
#include "eddy/graph/graph.h"
#include "eddy/ops/argument.h"
#include "eddy/ops/concat.h"
#include "eddy/ops/elementwise.h"
#include "eddy/ops/op_case.h"
#include "eddy/ops/recurrence.h"
#include "eddy/ops/recurrence_case.h"
#include "eddy/ops/recurrence_equations.h"
#include "eddy/ops/reshape.h"
#include "eddy/ops/slice.h"
#include "eddy/ops/sum.h"

namespace eddy {
namespace {

/// Options of the recurrence, and which of its optional inputs are there.
struct GruAttributes {
  bool reverse = false;
  bool hard_sigmoid = false;
  bool reset_after = true;
  bool has_bias = false;
  bool has_h0 = false;
  bool has_mask = false;

  static void attributes(auto& op, auto&& visit) {
    visit("reverse", op.reverse);
    visit("hard_sigmoid", op.hard_sigmoid);
    visit("reset_after", op.reset_after);
    visit("has_bias", op.has_bias);
    visit("has_h0", op.has_h0);
    visit("has_mask", op.has_mask);
  }
  GruConfig config(const Shape& gates) const {
    return {.time = gates[0],
            .batch = gates[1],
            .hidden = gates[2] / 3,
            .reverse = reverse,
            .hard_sigmoid = hard_sigmoid,
            .reset_after = reset_after};
  }
  GruWeights weights(Value w_h, Value bias = {}) const {
    return {.w_h = w_h, .bias = bias, .hard_sigmoid = hard_sigmoid, .reset_after = reset_after};
  }
};

struct GruGradient final : RecurrenceOp<GruGradient, 3>, GruAttributes {
  static constexpr std::string_view kName = "gru_recurrence_gradient";
  using GruAttributes::attributes;

  explicit GruGradient(const GruAttributes& base) : GruAttributes(base) {}

  // inputs: gates, extra, states, w_h, d_states, mask if there; outputs: d_gates_x, d_h0, and with reset_after
  // d_gates_h
  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override {
    const Shape& gates = inputs[0].shape;
    std::vector<TensorType> outputs{inputs[0], {f32, {gates[1], gates[2] / 3}}};
    if (reset_after) outputs.push_back(inputs[0]);
    return outputs;
  }
  std::vector<Alias> aliases(std::span<const TensorType>, std::span<const TensorType>) const override {
    return {{.output = 0, .input = 0, .kind = Alias::Kind::share}};
  }
  Kernel make_kernel(const KernelContext& context) const override {
    const GruKernel kernel(config(context.inputs[0].shape));
    ScratchPlan scratch(kernel.backward_scratch_bytes());
    const std::size_t x_at = scratch.take_for_unused(context, 0);
    const std::size_t h0_at = scratch.take_for_unused(context, 1);
    const std::size_t h_at = reset_after ? scratch.take_for_unused(context, 2) : 0;
    return {.run =
                [=, has_mask = has_mask, reset_after = reset_after](const KernelArgs& args) {
                  kernel.backward({.gates = args.in<float>(0),
                                   .extra = args.in<float>(1),
                                   .states_h = args.in<float>(2),
                                   .w_h = args.in<float>(3),
                                   .mask = has_mask ? args.in<float>(5) : nullptr,
                                   .d_states_h = args.in<float>(4),
                                   .d_gates_x = output_or_scratch(args, 0, x_at),
                                   .d_gates_h = reset_after ? output_or_scratch(args, 2, h_at) : nullptr,
                                   .d_h0 = output_or_scratch(args, 1, h0_at)},
                                  args.scratch);
                },
            .scratch_bytes = scratch.bytes()};
  }
  std::vector<Gradient> gradient(const GradientContext& context) const override {
    return gradient_through(context, [this](std::span<const Value> in) -> std::vector<Value> {
      const auto d = GruGradientLoop{.gates = in[0],
                                     .extra = in[1],
                                     .states = in[2],
                                     .weights = weights(in[3]),
                                     .d_states = in[4],
                                     .mask = has_mask ? in[5] : Value(),
                                     .reverse = reverse}();
      return {d.d_gates_x, d.d_h0, d.d_gates_h};
    });
  }
};

/// What a recurrence comes to without gradients: gates that need not be kept are made a few steps at a time.
struct GruInference final : InputRecurrenceOp<GruInference>, GruAttributes {
  static constexpr std::string_view kName = "gru_inference";
  using GruAttributes::attributes;

  explicit GruInference(const GruAttributes& base) : GruAttributes(base) {}

  // inputs: x, w_x, bias, w_h, then those present of recurrent bias, h0, mask; output: states
  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override {
    const Shape& x = inputs[0].shape;
    return {{f32, {x[0] + 1, x[1], inputs[3].shape[0]}}};
  }
  Kernel make_kernel(const KernelContext& context) const override {
    const Shape& x = context.inputs[0].shape;
    GruConfig layer = config({x[0], x[1], context.inputs[1].shape[1]});
    layer.input = x[2];
    const GruKernel kernel(layer);
    OptionalInputs optional(4);
    const int bias = optional.next(has_bias), h0 = optional.next(has_h0), mask = optional.next(has_mask);
    return {.run =
                [=](const KernelArgs& args) {
                  kernel.forward({.gates_x = nullptr,
                                  .w_h = args.in<float>(3),
                                  .b_h = input_or_null(args, bias),
                                  .h0 = input_or_null(args, h0),
                                  .mask = input_or_null(args, mask),
                                  .states_h = args.out<float>(0),
                                  .input = {args.in<float>(0), args.in<float>(1), args.in<float>(2)}},
                                 args.scratch);
                },
            .scratch_bytes = kernel.forward_scratch_bytes()};
  }
};

struct GruRecurrence final : RecurrenceOp<GruRecurrence, 3>, GruAttributes {
  static constexpr std::string_view kName = "gru_recurrence";
  using GruAttributes::attributes;

  explicit GruRecurrence(const GruAttributes& base) : GruAttributes(base) {}

  // inputs: x w_x + bias, w_h, then those present of recurrent bias, h0, mask; outputs: states, gates, extra
  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override {
    const Shape& gates = inputs[0].shape;
    require<GraphError>(inputs[0].dtype == f32 && gates.rank() == 3 && gates[2] % 3 == 0,
                        "x w_x + bias must be f32[time, batch, 3 hidden], it is {}", inputs[0]);
    const std::int64_t hidden = gates[2] / 3;
    require_f32(inputs[1], {hidden, 3 * hidden}, "w_h");
    std::size_t next = 2;
    if (has_bias) require_f32(inputs[next++], {3 * hidden}, "the recurrent bias");
    if (has_h0) require_f32(inputs[next++], {gates[1], hidden}, "h0");
    if (has_mask) require_f32(inputs[next++], {gates[0], gates[1]}, "the mask");
    return {{f32, {gates[0] + 1, gates[1], hidden}}, inputs[0], {f32, {gates[0], gates[1], hidden}}};
  }
  std::vector<Gradient> gradient(const GradientContext& context) const override {
    const auto [bias, h0, mask] = optional_inputs();
    require<GraphError>(mask < 0 || !context.needs(mask), "has no gradient with respect to its mask");
    // Only a gradient of a gradient depends on the other outputs.
    if (context.d_out(1) || context.d_out(2))
      return gradient_through(context, [this](std::span<const Value> in) { return equal(in); });
    std::vector<Value> inputs{context.out(1), context.out(2), context.out(0), context.in(1), context.d_out(0)};
    if (has_mask) inputs.push_back(context.in(mask));
    Graph& graph = context.in(0).graph();
    const std::vector<Value> d = graph.outputs(add_node(graph, GruGradient(*this), inputs, SourceLocation::current()));
    std::vector<Gradient> result(context.inputs.size());
    result[0] = d[0];
    if (context.needs(1)) result[1] = gradient_of_w_h(context, d);
    if (has_bias && context.needs(bias)) result[static_cast<std::size_t>(bias)] = sum(d[2], {0, 1});
    if (has_h0) result[static_cast<std::size_t>(h0)] = d[1];
    return result;
  }
  std::vector<Value> lower(std::span<const Value> inputs, const std::vector<bool>& used,
                           const PassSwitches&) const override {
    if (used[1] || used[2]) return {};
    const std::vector<Value> from = with_input_product(inputs, optional_inputs().mask);
    if (from.empty()) return {};
    const Value states = add_node(inputs[0].graph(), GruInference(*this), from, SourceLocation::current());
    return {states, Value(), Value()};
  }
  std::vector<Alias> aliases(std::span<const TensorType>, std::span<const TensorType>) const override {
    return {{.output = 1, .input = 0, .kind = Alias::Kind::share}};
  }
  Kernel make_kernel(const KernelContext& context) const override {
    const GruKernel kernel(config(context.inputs[0].shape));
    ScratchPlan scratch(kernel.forward_scratch_bytes());
    const std::size_t states_at = scratch.take_for_unused(context, 0);
    const auto [bias, h0, mask] = optional_inputs();
    return {.run =
                [=, bias = bias, h0 = h0, mask = mask](const KernelArgs& args) {
                  kernel.forward({.gates_x = args.in<float>(0),
                                  .w_h = args.in<float>(1),
                                  .b_h = input_or_null(args, bias),
                                  .h0 = input_or_null(args, h0),
                                  .mask = input_or_null(args, mask),
                                  .states_h = output_or_scratch(args, 0, states_at),
                                  .gates = args.out<float>(1),
                                  .extra = args.out<float>(2)},
                                 args.scratch);
                },
            .scratch_bytes = scratch.bytes()};
  }

 private:
  struct Optional {
    int bias, h0, mask;
  };
  Optional optional_inputs() const {
    OptionalInputs optional(2);
    return {optional.next(has_bias), optional.next(has_h0), optional.next(has_mask)};
  }
  /// The outputs made of small ops.
  std::vector<Value> equal(std::span<const Value> in) const {
    const auto [bias, h0, mask] = optional_inputs();
    const auto made = GruLoop{.gates_x = in[0],
                              .weights = weights(in[1], input_or_none(in, bias)),
                              .h0 = input_or_none(in, h0),
                              .mask = input_or_none(in, mask),
                              .reverse = reverse}();
    return {made.states, made.gates, made.extra};
  }
  Value gradient_of_w_h(const GradientContext& context, const std::vector<Value>& d) const {
    const Value mask = input_or_none(context.inputs, optional_inputs().mask);
    const Value before = states_before(context.out(0), reverse);
    if (reset_after) return weight_gradient(before, flatten(d[2], 0, 1), mask);
    // Block n multiplied r * h, the others h.
    const Value d_gates = flatten(d[0], 0, 1);
    const std::int64_t hidden = d_gates.dim(1) / 3;
    const std::vector<Value> blocks = split(d_gates, std::vector<std::int64_t>{2 * hidden, hidden}, 1);
    return concat(
        {weight_gradient(before, blocks[0], mask), weight_gradient(flatten(context.out(2), 0, 1), blocks[1], mask)}, 1);
  }
};

}  // namespace

GruResult gru(Operand x, Operand w_x, Operand w_h, Operand bias, const GruOptions& options) {
  const Value input = value_of("gru", x);
  Graph& graph = input.graph();
  const OriginScope origin(x.where);
  check_layer("gru", 3, x, w_x, w_h, bias, {{"h0", options.h0}});
  if (const Value added = options.recurrent_bias) {
    require_argument(options.reset_after, "gru", x, "recurrent_bias needs reset_after");
    const TensorType expected = value_of("gru", bias).type();
    require_argument(added.type() == expected, "gru", x, "recurrent_bias must be {}, as bias is, it is {}", expected,
                     added.type());
  }
  std::vector<Value> inputs{input_gates("gru", x, w_x, bias, options.mask), value_of("gru", w_h)};
  if (options.recurrent_bias) inputs.push_back(options.recurrent_bias);
  if (options.h0) inputs.push_back(options.h0);
  if (options.mask) inputs.push_back(options.mask);
  const GruRecurrence op({.reverse = options.reverse,
                          .hard_sigmoid = options.hard_sigmoid,
                          .reset_after = options.reset_after,
                          .has_bias = static_cast<bool>(options.recurrent_bias),
                          .has_h0 = static_cast<bool>(options.h0),
                          .has_mask = static_cast<bool>(options.mask)});
  const Value states = add_node(graph, op, inputs, x.where);
  return {.outputs = masked(states_after(states, options.reverse), options.mask),
          .final_h = final_state(states, options.reverse)};
}

namespace {

using namespace recurrence_case;

/// One row at a time, one step at a time. inputs: x, w_x, w_h, bias, h0, mask, recurrent bias.
FlatArrays reference(std::span<const std::vector<double>> in, bool reverse, bool hard, bool reset_after) {
  FlatArrays out{std::vector<double>(kTime * kBatch * kHidden), in[4]};
  std::vector<double>& h = out[1];
  const std::size_t width = 3 * kHidden;
  for (std::size_t step = 0; step < kTime; ++step)
    for (std::size_t b = 0; b < kBatch; ++b) {
      const std::size_t t = reverse ? kTime - 1 - step : step;
      const bool active = in[5][t * kBatch + b] != 0;
      std::vector<double> from_x(in[3]);
      std::vector<double> from_h(in[6]);
      for (std::size_t j = 0; j < width; ++j) {
        for (std::size_t k = 0; k < kIn; ++k) from_x[j] += in[0][(t * kBatch + b) * kIn + k] * in[1][k * width + j];
        for (std::size_t k = 0; k < kHidden; ++k) from_h[j] += h[b * kHidden + k] * in[2][k * width + j];
      }
      std::vector<double> r(kHidden);
      for (std::size_t j = 0; j < kHidden; ++j) r[j] = gate_function(from_x[j] + from_h[j], hard);
      std::vector<double> next(kHidden);
      for (std::size_t j = 0; j < kHidden; ++j) {
        const double z = gate_function(from_x[kHidden + j] + from_h[kHidden + j], hard);
        double recurrent = r[j] * from_h[2 * kHidden + j];
        if (!reset_after) {
          recurrent = 0;
          for (std::size_t k = 0; k < kHidden; ++k)
            recurrent += r[k] * h[b * kHidden + k] * in[2][k * width + 2 * kHidden + j];
        }
        next[j] = (1 - z) * std::tanh(from_x[2 * kHidden + j] + recurrent) + z * h[b * kHidden + j];
      }
      for (std::size_t j = 0; j < kHidden; ++j) {
        if (active) h[b * kHidden + j] = next[j];
        out[0][(t * kBatch + b) * kHidden + j] = active ? next[j] : 0;
      }
    }
  return out;
}

OpCase gru_case(std::string name, bool reverse, bool hard, bool reset_after, std::vector<CaseInput> bench = {}) {
  std::vector<CaseInput> inputs{{{f32, {4, 3, 2}}, -1, 1}, {{f32, {2, 9}}, -1, 1}, {{f32, {3, 9}}, -1, 1},
                                {{f32, {9}}, -1, 1},       {{f32, {3, 3}}, -1, 1}, mask_input()};
  if (reset_after) inputs.push_back({{f32, {9}}, -1, 1});
  return {
      .name = std::move(name),
      .inputs = std::move(inputs),
      .build = [=](Graph&, std::span<const Value> in) -> std::vector<Value> {
        const GruResult result = gru(in[0], in[1], in[2], in[3],
                                     {.h0 = in[4],
                                      .mask = in[5],
                                      .reverse = reverse,
                                      .hard_sigmoid = hard,
                                      .reset_after = reset_after,
                                      .recurrent_bias = reset_after ? in[6] : Value()});
        return {result.outputs, result.final_h};
      },
      .reference =
          [=](std::span<const std::vector<double>> in) {
            std::vector<std::vector<double>> all(in.begin(), in.end());
            if (!reset_after) all.emplace_back(9, 0.0);
            return reference(all, reverse, hard, reset_after);
          },
      .bench_inputs = std::move(bench),
  };
}

const RegisterOpCase case_after{gru_case("gru_recurrence", false, false, true,
                                         {{{f32, {100, 32, 256}}, -0.5F, 0.5F},
                                          {{f32, {256, 1536}}, -0.05F, 0.05F},
                                          {{f32, {512, 1536}}, -0.05F, 0.05F},
                                          {{f32, {1536}}, -0.1F, 0.1F},
                                          {{f32, {32, 512}}, -0.1F, 0.1F},
                                          {.type = {f32, {100, 32}}, .low = 1, .high = 1, .differentiable = false},
                                          {{f32, {1536}}, -0.1F, 0.1F}})};
const RegisterOpCase case_reverse{gru_case("gru_recurrence/reverse", true, false, true)};
const RegisterOpCase case_before{gru_case("gru_recurrence/reset_before", false, false, false)};
const RegisterOpCase case_hard{gru_case("gru_recurrence/hard_sigmoid", true, true, false)};
const RegisterOpCase case_hard_after{gru_case("gru_recurrence/hard_sigmoid_reset_after", false, true, true)};

}  // namespace
}  // namespace eddy
