// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <cstring>

#include "eddy/core/threads.h"
#include "eddy/graph/graph.h"
#include "eddy/graph/row_reader.h"
#include "eddy/graph/user_line.h"
#include "eddy/ops/iota.h"
#include "eddy/optimizers/caught_up_impl.h"
#include "eddy/optimizers/caught_up_rows.h"
#include "eddy/optimizers/update_kernels.h"

namespace eddy {
namespace {

constexpr std::int64_t kWindow = RowCatchUp::kWindow;
/// Each row is visited at least once in so many steps.
constexpr std::int64_t kPeriod = kWindow - 1;

struct CurrentRowsOp final : OpClass<CurrentRowsOp>, CatchUpAttributes {
  static constexpr std::string_view kName = "current_rows";
  using CatchUpAttributes::attributes;

  explicit CurrentRowsOp(const CatchUpAttributes& base) : CatchUpAttributes(base) {}

  // inputs: parameter, m, v, row steps, rates, done, indices
  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override {
    Shape shape = inputs[6].shape;
    for (int axis = 1; axis < inputs[0].shape.rank(); ++axis) shape = shape.appended(inputs[0].shape[axis]);
    return {{f32, shape}};
  }
  Cost cost(std::span<const TensorType>, std::span<const TensorType> outputs) const override {
    const auto elements = static_cast<double>(outputs[0].shape.elements());
    return {.flops = 2.0 * RowCatchUp::kMoments * elements, .bytes = 16 * elements};
  }
  Kernel make_kernel(const KernelContext& context) const override {
    const std::int64_t count = context.inputs[6].shape.elements();
    const std::int64_t rows = context.inputs[0].shape[0];
    const std::int64_t width = row_width(context.inputs[0].shape);
    return {
        .run =
            [*this, count, rows, width](const KernelArgs& args) {
              const auto* row_steps = args.in<std::int32_t>(3);
              const std::int64_t done = *args.in<std::int32_t>(5);
              const auto* indices = args.in<std::int32_t>(6);
              RowCatchUp* catch_up = make(args.scratch, args.in<float>(4), done);
              for (std::int64_t i = 0; i < count; ++i) {
                require<GraphError>(indices[i] < rows, "index {} at position {} is out of range for a table of {} rows",
                                    indices[i], i, rows);
                if (indices[i] >= 0) prepare_for(*catch_up, row_steps, indices[i], done);
              }
              parallel_for(count, grain_of(width), [&](std::int64_t begin, std::int64_t end) {
                for (std::int64_t i = begin; i < end; ++i) {
                  float* out = args.out<float>(0) + i * width;
                  if (indices[i] < 0) {
                    std::fill_n(out, width, 0.0F);
                    continue;
                  }
                  const std::int64_t at = indices[i] * width;
                  catch_up->apply(
                      done - row_steps[indices[i]],
                      {args.in<float>(0) + at, args.in<float>(1) + at, args.in<float>(2) + at, out, nullptr, nullptr},
                      width);
                }
              });
            },
        .scratch_bytes = sizeof(RowCatchUp)};
  }
};

struct CaughtUpUpdate final : OpClass<CaughtUpUpdate>, CatchUpAttributes, RowReader {
  static constexpr std::string_view kName = "caught_up_update";
  double rate_multiplier = 1, clip_value = 0;

  CaughtUpUpdate(const CatchUpAttributes& base, double multiplier, double clip)
      : CatchUpAttributes(base), rate_multiplier(multiplier), clip_value(clip) {}
  static void attributes(auto& op, auto&& visit) {
    CatchUpAttributes::attributes(op, visit);
    visit("rate_multiplier", op.rate_multiplier);
    visit("clip_value", op.clip_value);
  }

  // inputs: parameter, m, v, row steps, rates, done; indices, rows, learning rate, gradient scale, proceed
  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override {
    const TensorType& parameter = inputs[0];
    require<GraphError>(parameter.dtype == f32 && parameter.shape.rank() >= 1,
                        "the parameter must be f32 rows, it is {}", to_string(parameter));
    require<GraphError>(inputs[1] == parameter && inputs[2] == parameter, "the parameter is {}, its slots {} and {}",
                        to_string(parameter), to_string(inputs[1]), to_string(inputs[2]));
    require<GraphError>(inputs[4] == TensorType{f32, {kWindow}}, "rates must be f32[{}], they are {}", kWindow,
                        to_string(inputs[4]));
    require<GraphError>(inputs[6].dtype == i32 && inputs[6].shape.rank() == 1 && inputs[7].dtype == f32 &&
                            inputs[7].shape.elements() == inputs[6].shape[0] * row_width(parameter.shape),
                        "rows {} at {} do not match the parameter {}", to_string(inputs[7]), to_string(inputs[6]),
                        to_string(parameter));
    return {inputs[0], inputs[1], inputs[2], inputs[3], inputs[4]};
  }
  std::vector<Alias> aliases(std::span<const TensorType>, std::span<const TensorType>) const override {
    std::vector<Alias> result;
    for (int i = 0; i < kUpdated; ++i) result.push_back({.output = i, .input = i, .kind = Alias::Kind::update});
    return result;
  }
  Cost cost(std::span<const TensorType> inputs, std::span<const TensorType>) const override {
    const double elements = static_cast<double>(inputs[7].shape.elements()) +
                            static_cast<double>(inputs[0].shape.elements()) / static_cast<double>(kPeriod);
    return {.flops = (2.0 * RowCatchUp::kMoments + 10) * elements, .bytes = 28 * elements};
  }
  Kernel make_kernel(const KernelContext& context) const override {
    const std::int64_t rows = context.inputs[0].shape[0];
    const std::int64_t named = context.inputs[6].shape[0];
    const std::int64_t width = row_width(context.inputs[0].shape);
    std::array<std::size_t, kUpdated> bytes;
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = context.inputs[i].bytes();
    return {.run =
                [*this, rows, named, width, bytes](const KernelArgs& args) {
                  for (std::size_t i = 0; i < bytes.size(); ++i)
                    if (args.outputs[i] != args.inputs[i]) std::memcpy(args.outputs[i], args.inputs[i], bytes[i]);
                  if (*args.in<bool>(10)) step(args, rows, named, width);
                },
            .scratch_bytes = 2 * sizeof(RowCatchUp)};
  }

  int state_inputs() const override { return 6; }
  Value current_rows(std::span<const Value> state, Value indices) const override {
    std::vector<Value> inputs(state.begin(), state.end());
    inputs.push_back(indices);
    return add_node(indices.graph(), CurrentRowsOp(*this), std::move(inputs), SourceLocation::current());
  }
  Value current_table(std::span<const Value> state) const override {
    return current_rows(state, iota(state[0].graph(), state[0].dim(0)));
  }

 private:
  static constexpr int kUpdated = 5;  ///< all but `done` and what the step brings

  void step(const KernelArgs& args, std::int64_t rows, std::int64_t named, std::int64_t width) const {
    const std::int64_t done = *args.in<std::int32_t>(5), now = done + 1;
    const auto* indices = args.in<std::int32_t>(6);
    auto* row_steps = args.out<std::int32_t>(3);
    // The coalesced indices end with padding of -1.
    const std::int64_t count =
        std::partition_point(indices, indices + named, [](std::int32_t i) { return i >= 0; }) - indices;
    const double rate = static_cast<double>(*args.in<float>(8)) * rate_multiplier;

    std::array<float, kWindow> rates;
    std::copy_n(args.in<float>(4), kWindow, rates.begin());
    RowCatchUp* touched = make(static_cast<std::byte*>(args.scratch) + sizeof(RowCatchUp), rates.data(), done);
    // Rows without gradient take this step as well, so the rates they need end with this one's.
    rates[now % kWindow] = static_cast<float>(rate);
    // Rows are never as far behind as the rate whose place this is. It is how steps of other programs show.
    rates[(now + 1) % kWindow] = RowCatchUp::kNotNoted;
    RowCatchUp* idle = make(args.scratch, rates.data(), now);
    const std::int64_t chunk = (rows + kPeriod - 1) / kPeriod;
    const std::int64_t first = std::min(rows, now % kPeriod * chunk), last = std::min(rows, first + chunk);
    const auto is_named = [&](std::int64_t row) { return std::binary_search(indices, indices + count, row); };
    for (std::int64_t row = first; row < last; ++row)
      if (!is_named(row)) prepare_for(*idle, row_steps, row, now);
    for (std::int64_t k = 0; k < count; ++k) prepare_for(*touched, row_steps, indices[k], done);
    std::ranges::copy(rates, args.out<float>(4));  // now that nothing refuses the step

    const auto row_at = [&](std::int64_t row) {
      float *p = args.out<float>(0) + row * width, *m = args.out<float>(1) + row * width,
            *v = args.out<float>(2) + row * width;
      return RowCatchUp::Row{p, m, v, p, m, v};
    };
    UpdateNumbers numbers = update_numbers(rule, rate, now);
    numbers.gradient_scale = *args.in<float>(9);
    numbers.clip_value = static_cast<float>(clip_value);
    parallel_for(count + last - first, grain_of(width), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        const std::int64_t row = i < count ? indices[i] : first + i - count;
        if (i >= count && is_named(row)) continue;
        const RowCatchUp::Row place = row_at(row);
        if (i >= count) {
          idle->apply(now - row_steps[row], place, width);
        } else {
          touched->apply(done - row_steps[row], place, width);
          update_elements(numbers,
                          {.gradient = args.in<float>(7) + i * width,
                           .parameter = place.p_out,
                           .slots = {place.m_out, place.v_out, nullptr}},
                          width);
        }
        row_steps[row] = static_cast<std::int32_t>(now);
      }
    });
  }
};

}  // namespace

bool can_catch_up(const UpdateRule& rule) {
  return rule.kind == UpdateRule::Kind::adamw || (rule.kind == UpdateRule::Kind::adam && rule.weight_decay == 0);
}

Value recent_rates(Graph& graph, ParameterStore& store, const std::string& name, const Variable& parameter,
                   double rate_multiplier) {
  const Tensor before = recent_rates_of(store, name, parameter.name, rate_multiplier);
  return state(graph, store, recent_rates_name(name, parameter.name), before.type(),
               [before](const Tensor& value, Philox&) { value.copy_from(before); });
}

Value row_steps(Graph& graph, ParameterStore& store, const std::string& name, const Variable& parameter) {
  const std::shared_ptr<Variable> step = store.find(name + "/step");
  const std::int32_t done = step == nullptr ? 0 : step->value.values<std::int32_t>()[0];
  return state(graph, store, row_steps_prefix(name) + parameter.name, {i32, {parameter.value.shape()[0]}},
               [done](const Tensor& value, Philox&) { std::ranges::fill(value.values<std::int32_t>(), done); });
}

std::vector<Value> update_caught_up_rows(const UpdateSettings& settings, Value parameter, const CaughtUpState& state,
                                         const Gradient& gradient, const UpdateControls& controls,
                                         SourceLocation where) {
  require_at(can_catch_up(settings.rule), where, CaughtUpUpdate::kName, "{} cannot bring rows up to date later",
             to_string(settings.rule.kind));
  require_at(gradient.is_sparse() && gradient.sparse_parts().size() == 1, where, CaughtUpUpdate::kName,
             "the gradient must be one coalesced row-sparse part");
  require_at(!controls.step, where, CaughtUpUpdate::kName, "rows that are behind cannot count steps of their own");
  const RowSparse& part = gradient.sparse_parts()[0];
  const Value updated =
      add_node(parameter.graph(), CaughtUpUpdate({settings.rule}, settings.rate_multiplier, settings.clip_value),
               {parameter, state.slots.at(0), state.slots.at(1), state.row_steps, state.rates, state.done, part.indices,
                part.rows, controls.learning_rate, controls.gradient_scale, controls.proceed},
               where);
  return Graph::outputs(updated);
}

}  // namespace eddy
