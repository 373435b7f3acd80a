// SPDX-License-Identifier: Apache-2.0
#include "eddy/optimizers/minimize.h"

#include <string>
#include <string_view>

#include "eddy/graph/builder_scope.h"
#include "eddy/graph/builtin.h"
#include "eddy/graph/graph.h"
#include "eddy/ops/maximum.h"
#include "eddy/ops/mul.h"
#include "eddy/ops/random_key.h"
#include "eddy/ops/row_sparse.h"
#include "eddy/ops/sub.h"
#include "eddy/optimizers/caught_up_rows.h"
#include "eddy/optimizers/counter.h"
#include "eddy/optimizers/gradient_norm.h"
#include "eddy/optimizers/parameter_settings.h"
#include "eddy/optimizers/plateau.h"
#include "eddy/optimizers/update_op.h"

namespace eddy {
namespace {

/// The steps of a parameter that began to learn after `first` others. Skipped steps may have kept the count below.
Value own_steps(Value step, std::int64_t first) {
  if (first == 0) return step;
  return maximum(step - static_cast<std::int32_t>(first), 1);
}

const Variable& variable_behind(const BuilderScope& at, Value parameter) {
  const Variable* variable = variable_of(parameter);
  at.check(variable != nullptr, "the value {} to update is not a variable", to_string(parameter.type()));
  return *variable;
}

/// A gradient as the update kernels take it: dense, or one coalesced sparse part.
Gradient prepared(const Gradient& gradient, Value parameter) {
  if (gradient.is_dense()) return gradient;
  if (gradient.is_sparse()) return coalesce(gradient.sparse_parts(), parameter.shape());
  return gradient.dense(parameter);
}

Value values_of(const Gradient& gradient) {
  return gradient.is_dense() ? gradient.dense_part() : gradient.sparse_parts()[0].rows;
}

Value counter(Graph& graph, ParameterStore& store, const std::string& name) {
  return state(graph, store, name, {i32, {}});
}

Value boolean_constant(Graph& graph, bool value) {
  const Tensor tensor(boolean, {});
  tensor.values<bool>()[0] = value;
  return graph.constant(tensor);
}

}  // namespace

Updates apply_gradients(std::span<const ParameterGradient> gradients, ParameterStore& store, const Optimizer& optimizer,
                        SourceLocation where) {
  const BuilderScope at("apply_gradients", gradients.empty() ? "the list of gradients" : "the first parameter",
                        gradients.empty() ? Value() : gradients[0].parameter, where);
  const UpdateOptions& options = optimizer.options;
  Graph& graph = at.graph();
  const NameScope scope(graph, options.name);

  std::vector<Gradient> ready;
  std::vector<NormedGradient> normed;
  for (const auto& [parameter, gradient] : gradients) {
    const Variable& variable = variable_behind(at, parameter);
    at.check(!gradient.empty(), "the gradient of '{}' is empty", variable.name);
    ready.push_back(prepared(gradient, parameter));
    normed.push_back({values_of(ready.back()), !has_prefix(variable.name, options.unclipped)});
  }
  const GradientNorm norm = gradient_norm(normed, optimizer.clip_norm, options.skip_non_finite);
  const bool clips = optimizer.clip_norm > 0;
  const Value one = graph.constant(1.0F);

  const Value done = counter(graph, store, options.name + "/step");
  const Value scheduled = optimizer.learning_rate.build(done, where);
  at.expect("the learning rate", scheduled, f32, {});
  Updates updates;
  updates.gradient_norm = norm.norm;
  // Without a watch the norm need not be computed.
  updates.proceed = options.skip_non_finite ? norm.proceed : boolean_constant(graph, true);
  updates.learning_rate = mul(scheduled, graph.variable(learning_rate_scale(store, options.name)));
  const Value step = count_when(done, updates.proceed, true);

  std::vector<Value> ties;
  Value rates;
  for (std::size_t i = 0; i < gradients.size(); ++i) {
    const Value parameter = gradients[i].parameter;
    const std::string& name = variable_of(parameter)->name;
    const UpdateSettings settings = settings_of(optimizer, name);
    std::vector<Value> slots;
    const UpdateRule::SlotNames slot_names = settings.rule.slots();
    for (std::size_t s = 0; s < static_cast<std::size_t>(slot_names.count); ++s)
      slots.push_back(state(graph, store, fmt::format("{}/{}/{}", options.name, slot_names.names[s], name),
                            parameter.type(), constant_value(static_cast<float>(settings.rule.initial_accumulator))));
    const std::int64_t first = of_longest_prefix<std::int64_t>(options.first_steps, name, 0);
    const UpdateControls controls{.learning_rate = updates.learning_rate,
                                  .step = own_steps(step, first),
                                  .gradient_scale = clips && normed[i].counts ? norm.scale : one,
                                  .proceed = updates.proceed};
    const bool leaves_rows_behind = options.catch_up_rows && ready[i].is_sparse() && first == 0 &&
                                    settings.rows == UpdatedRows::all && can_catch_up(settings.rule);
    std::vector<Value> results;
    if (leaves_rows_behind) {
      if (!rates) rates = recent_rates(graph, store, options.name);
      const CaughtUpState state{.slots = slots,
                                .row_steps = row_steps(graph, store, options.name, *variable_of(parameter)),
                                .rates = rates,
                                .done = done};
      results = update_caught_up_rows(settings, parameter, state, ready[i], controls);
    } else {
      results = update_parameter(settings, parameter, slots, ready[i], controls);
    }
    updates.parameters.push_back({.before = parameter, .after = results[0]});
    ties.push_back(results[0]);
  }
  if (rates) ties.push_back(record_rate(rates, updates.learning_rate, step, updates.proceed));
  if (options.skip_non_finite)
    ties.push_back(count_when(counter(graph, store, options.name + "/skipped_steps"), updates.proceed, false));
  // The next step draws other numbers, after a skipped step as well.
  for (const Value& value : graph.variables())
    if (variable_of(value)->name == "random/key") ties.push_back(advance_random(value));
  updates.step = after(step, ties);
  return updates;
}

Updates minimize(Value loss, ParameterStore& store, const Optimizer& optimizer, SourceLocation where) {
  const BuilderScope at("minimize", "the loss", loss, where);
  at.check(loss.dtype() == f32 && loss.shape().elements() == 1, "the loss must be one f32 number, not {}",
           to_string(loss.type()));
  std::vector<Value> parameters;
  for (const Value& value : loss.graph().variables()) {
    const Variable& variable = *variable_of(value);
    if (!variable.trainable || rate_multiplier(optimizer.options, variable.name) == 0) continue;
    at.check(value.dtype() == f32, "the trainable variable '{}' is {}, not f32", variable.name,
             to_string(value.type()));
    parameters.push_back(value);
  }
  const std::vector<Gradient> found = gradients(loss, parameters, where);
  std::vector<ParameterGradient> pairs;
  std::vector<std::string> unused;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    if (found[i].empty()) {
      unused.push_back("'" + variable_of(parameters[i])->name + "'");
    } else {
      pairs.push_back({parameters[i], found[i]});
    }
  }
  at.check(unused.empty() || optimizer.options.allow_unused,
           "the loss does not depend on the trainable variables {}; freeze them with a rate_multiplier of 0 or set "
           "allow_unused",
           fmt::join(unused, ", "));
  at.check(!pairs.empty(), "the loss depends on no trainable variable");
  return apply_gradients(pairs, store, optimizer, where);
}

}  // namespace eddy
