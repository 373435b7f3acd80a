// SPDX-License-Identifier: Apache-2.0
#include "eddy/optimizers/moving_average.h"

#include <algorithm>
#include <cstring>

#include "eddy/core/threads.h"
#include "eddy/graph/builtin.h"
#include "eddy/graph/graph.h"
#include "eddy/graph/row_reader.h"
#include "eddy/graph/user_line.h"
#include "eddy/optimizers/update_kernels.h"

namespace eddy {
namespace {

constexpr std::string_view kPrefix = "ema/";

struct MovingAverageOp final : OpClass<MovingAverageOp> {
  static constexpr std::string_view kName = "moving_average";
  double decay;
  bool warm_up;

  MovingAverageOp(double d, bool w) : decay(d), warm_up(w) {}
  static void attributes(auto& op, auto&& visit) {
    visit("decay", op.decay);
    visit("warm_up", op.warm_up);
  }
  // inputs: average, parameter, step, proceed
  std::vector<TensorType> infer(std::span<const TensorType> inputs) const override {
    require<GraphError>(decay >= 0 && decay < 1, "the decay must be in [0, 1), it is {}", decay);
    require<GraphError>(inputs[0] == inputs[1] && inputs[0].dtype == f32, "the average is {}, the parameter {}",
                        to_string(inputs[0]), to_string(inputs[1]));
    return {inputs[0]};
  }
  std::vector<Alias> aliases(std::span<const TensorType>, std::span<const TensorType>) const override {
    return {{.output = 0, .input = 0, .kind = Alias::Kind::update}};
  }
  Cost cost(std::span<const TensorType> inputs, std::span<const TensorType>) const override {
    return {.flops = 3.0 * static_cast<double>(inputs[0].shape.elements()),
            .bytes = 3.0 * static_cast<double>(inputs[0].bytes())};
  }
  Kernel make_kernel(const KernelContext& context) const override {
    const std::int64_t elements = context.inputs[0].shape.elements();
    return {
        .run = [elements, bytes = context.inputs[0].bytes(), decay = decay, warm_up = warm_up](const KernelArgs& args) {
          float* average = args.out<float>(0);
          const float* parameter = args.in<float>(1);
          if (args.inputs[0] != args.outputs[0]) std::memcpy(average, args.inputs[0], bytes);
          if (!*args.in<bool>(3)) return;
          const double step = *args.in<std::int32_t>(2);
          const double keep = warm_up ? std::min(decay, (1 + step) / (10 + step)) : decay;
          const auto rest = static_cast<float>(1 - keep);
          parallel_for(elements, kElementwiseGrain, [&](std::int64_t begin, std::int64_t end) {
            update_average(rest, parameter + begin, average + begin, end - begin);
          });
        }};
  }
};

}  // namespace

Value exponential_moving_average(const Updates& updates, ParameterStore& store, double decay,
                                 const MovingAverageOptions& options, SourceLocation where) {
  require_at(static_cast<bool>(updates.step), where, "moving_average", "the updates are empty; expected minimize()'s");
  Graph& graph = updates.step.graph();
  const NameScope scope(graph, "ema");
  const OriginScope origin(where);
  std::vector<Value> ties;
  for (const auto& [before, updated] : updates.parameters) {
    const Variable& variable = *variable_of(before);
    const Op& update = *graph.node(updated.node()).op;
    require_at(dynamic_cast<const RowReader*>(&update) == nullptr, where, "moving_average",
               "the average of '{}' reads all of its rows at each step, but catch_up_rows leaves some behind",
               variable.name);
    const Tensor initial = variable.value;
    const Value average = state(graph, store, std::string(kPrefix) + variable.name, before.type(),
                                [initial](const Tensor& value, Philox&) { value.copy_from(initial); });
    ties.push_back(add_node(graph, MovingAverageOp(decay, options.warm_up),
                            {average, updated, updates.step, updates.proceed}, where));
  }
  return after(updates.step, ties);
}

AveragedWeights::AveragedWeights(ParameterStore& store) {
  for (const std::shared_ptr<Variable>& average : store.all()) {
    if (average->trainable || !average->name.starts_with(kPrefix)) continue;
    const std::shared_ptr<Variable> parameter = store.find(average->name.substr(kPrefix.size()));
    require<UsageError>(parameter != nullptr, "the average '{}' belongs to no parameter", average->name);
    require<UsageError>(parameter->value.type() == average->value.type(), "the average '{}' is {}, its parameter {}",
                        average->name, to_string(average->value.type()), to_string(parameter->value.type()));
    pairs_.emplace_back(parameter, average);
  }
  require<UsageError>(!pairs_.empty(), "there are no averaged weights: no variable begins with '{}'", kPrefix);
  swap();
}

void AveragedWeights::swap() noexcept {
  for (const auto& [parameter, average] : pairs_) {
    auto* first = static_cast<float*>(parameter->value.data());
    std::swap_ranges(first, first + parameter->value.elements(), static_cast<float*>(average->value.data()));
  }
}

}  // namespace eddy
