// SPDX-License-Identifier: Apache-2.0
#include "eddy/optimizers/minimize.h"

#include <algorithm>
#include <limits>
#include <set>
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
#include "eddy/optimizers/caught_up_impl.h"
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

/// Of the parameters those that learn; each must be one that this optimizer may update.
std::vector<ParameterGradient> to_update(const BuilderScope& at, std::span<const ParameterGradient> gradients,
                                         const ParameterStore& store, const UpdateOptions& options) {
  std::vector<ParameterGradient> learning;
  std::set<const Variable*> seen;
  for (const ParameterGradient& one : gradients) {
    const Variable* variable = variable_of(one.parameter);
    at.check(variable != nullptr, "the value {} to update is not a variable", to_string(one.parameter.type()));
    const std::string& name = variable->name;
    at.check(variable->trainable, "the variable '{}' is not trainable", name);
    at.check(store.find(name).get() == variable,
             "the trainable variable '{}' is not of the store that the optimizer's state would be kept in", name);
    at.check(seen.insert(variable).second, "the variable '{}' is given twice", name);
    at.check(!one.gradient.empty(), "the gradient of '{}' is empty", name);
    if (rate_multiplier(options, name) != 0) learning.push_back(one);
  }
  return learning;
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

/// A prefix that fits nothing is a slip of the pen, and what it should have frozen would be trained.
void check_prefixes(const BuilderScope& at, const ParameterStore& store, const UpdateOptions& options) {
  for (const auto& [prefix, step] : options.first_steps)
    at.check(step >= 0 && step <= std::numeric_limits<std::int32_t>::max(),
             "first_steps says {} for \"{}\", expected 0 to {}", step, prefix,
             std::numeric_limits<std::int32_t>::max());
  if (options.allow_unmatched) return;
  std::vector<std::string> names;
  for (const auto& variable : store.all())
    if (variable->trainable) names.push_back(variable->name);
  const auto expect = [&](std::string_view option, std::string_view prefix) {
    at.check(std::ranges::any_of(names, [&](const std::string& name) { return name.starts_with(prefix); }),
             "no trainable variable's name begins with \"{}\", which stands in {}; there are: {}", prefix, option,
             fmt::join(names, ", "));
  };
  for (const std::string& prefix : options.unclipped) expect("unclipped", prefix);
  for (const std::string& prefix : options.undecayed) expect("undecayed", prefix);
  for (const auto& [prefix, factor] : options.rate_multipliers) expect("rate_multipliers", prefix);
  for (const auto& [prefix, step] : options.first_steps) expect("first_steps", prefix);
}

struct PreparedGradients {
  std::vector<Gradient> gradients;
  std::vector<NormedGradient> normed;
};

PreparedGradients prepare(std::span<const ParameterGradient> gradients, const UpdateOptions& options) {
  PreparedGradients result;
  for (const auto& [parameter, gradient] : gradients) {
    result.gradients.push_back(prepared(gradient, parameter));
    result.normed.push_back(
        {values_of(result.gradients.back()), !has_prefix(variable_of(parameter)->name, options.unclipped)});
  }
  return result;
}

/// Updates the parameters of one step, one after the other.
class ParameterUpdates {
 public:
  /// `done` is the counter of steps, `step` what it is after this one.
  ParameterUpdates(ParameterStore& store, const Optimizer& optimizer, const Updates& updates, Value done, Value step)
      : store_(store), optimizer_(optimizer), updates_(updates), done_(done), step_(step) {}

  /// Before the first parameter. Steps that pass a table by would be counted among those its rows are behind.
  void check_tables(const BuilderScope& at, std::span<const ParameterGradient> given,
                    std::span<const Gradient> gradients) const {
    const std::string& name = optimizer_.options.name;
    for (const std::string& table : tables_behind(store_, name, optimizer_.options.catch_up_rows)) {
      bool updated = false;
      for (std::size_t i = 0; i < given.size() && !updated; ++i) {
        const Variable& variable = *variable_of(given[i].parameter);
        updated = variable.name == table && leaves_rows_behind(variable, gradients[i]);
      }
      at.check(updated,
               "rows of '{}' are left behind by the optimizer '{}', whose steps this program shares without updating "
               "them in the same way; give it another name, or call bring_rows_up_to_date and train without "
               "catch_up_rows",
               table, name);
    }
  }

  /// The new parameter.
  Value add(Value parameter, const Gradient& gradient, Value gradient_scale) {
    const UpdateOptions& options = optimizer_.options;
    const Variable& variable = *variable_of(parameter);
    const UpdateSettings settings = settings_of(optimizer_, variable.name);
    const std::vector<Value> slots = slots_of(settings.rule, parameter);
    UpdateControls controls{.learning_rate = updates_.learning_rate,
                            .step = {},
                            .gradient_scale = gradient_scale,
                            .proceed = updates_.proceed};
    if (!leaves_rows_behind(variable, gradient)) {
      controls.step = own_steps(step_, first_step(variable));
      return update_parameter(settings, parameter, slots, gradient, controls)[0];
    }
    Graph& graph = parameter.graph();
    const CaughtUpState state{.slots = slots,
                              .row_steps = row_steps(graph, store_, options.name, variable),
                              .rates = recent_rates(graph, store_, options.name, variable, settings.rate_multiplier),
                              .done = done_};
    return update_caught_up_rows(settings, parameter, state, gradient, controls)[0];
  }

 private:
  std::int64_t first_step(const Variable& variable) const {
    return of_longest_prefix<std::int64_t>(optimizer_.options.first_steps, variable.name, 0);
  }
  /// Rows that are behind count all steps of the optimizer.
  bool leaves_rows_behind(const Variable& variable, const Gradient& gradient) const {
    const UpdateSettings settings = settings_of(optimizer_, variable.name);
    return optimizer_.options.catch_up_rows && gradient.is_sparse() && first_step(variable) == 0 &&
           settings.rows == UpdatedRows::all && can_catch_up(settings.rule);
  }
  std::vector<Value> slots_of(const UpdateRule& rule, Value parameter) {
    std::vector<Value> slots;
    const UpdateRule::SlotNames names = rule.slots();
    for (std::size_t s = 0; s < static_cast<std::size_t>(names.count); ++s)
      slots.push_back(
          state(parameter.graph(), store_,
                fmt::format("{}/{}/{}", optimizer_.options.name, names.names[s], variable_of(parameter)->name),
                parameter.type(), constant_value(static_cast<float>(rule.initial_accumulator))));
    return slots;
  }

  ParameterStore& store_;
  const Optimizer& optimizer_;
  const Updates& updates_;
  Value done_, step_;
};

}  // namespace

Updates apply_gradients(std::span<const ParameterGradient> given, ParameterStore& store, const Optimizer& optimizer,
                        SourceLocation where) {
  const BuilderScope at("apply_gradients", given.empty() ? "the list of gradients" : "the first parameter",
                        given.empty() ? Value() : given[0].parameter, where);
  const UpdateOptions& options = optimizer.options;
  check_prefixes(at, store, options);
  const std::vector<ParameterGradient> gradients = to_update(at, given, store, options);
  at.check(!gradients.empty(), "rate_multipliers of 0 freeze all that is to be updated");
  Graph& graph = at.graph();
  const NameScope scope(graph, options.name);

  const PreparedGradients ready = prepare(gradients, options);
  const GradientNorm norm = gradient_norm(ready.normed, optimizer.clip_norm, options.skip_non_finite);
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
  ParameterUpdates parameters(store, optimizer, updates, done, step);
  parameters.check_tables(at, gradients, ready.gradients);
  for (std::size_t i = 0; i < gradients.size(); ++i) {
    const Value scale = clips && ready.normed[i].counts ? norm.scale : one;
    ties.push_back(parameters.add(gradients[i].parameter, ready.gradients[i], scale));
    updates.parameters.push_back({.before = gradients[i].parameter, .after = ties.back()});
  }
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
  at.check(loss.graph().depth() == 0, "a step of a loop updates no variable; minimize what the loop yields");
  check_prefixes(at, store, optimizer.options);
  std::vector<Value> parameters;
  bool frozen = false;
  for (const Value& value : loss.graph().parameters()) {
    const Variable& variable = *variable_of(value);
    if (rate_multiplier(optimizer.options, variable.name) == 0) {
      frozen = true;
      continue;
    }
    at.check(value.dtype() == f32, "the trainable variable '{}' is {}, not f32", variable.name,
             to_string(value.type()));
    parameters.push_back(value);
  }
  const std::vector<Gradient> found = gradients(loss, parameters, where);
  std::vector<ParameterGradient> pairs;
  std::vector<std::string> unused;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const Variable& variable = *variable_of(parameters[i]);
    if (store.find(variable.name).get() != &variable) {
      at.check(found[i].empty(),
               "the loss depends on the trainable variable '{}', which is not of the store that the optimizer's state "
               "would be kept in; expected one store, or stop_gradient() on what another network computes",
               variable.name);
    } else if (found[i].empty()) {
      unused.push_back("'" + variable.name + "'");
    } else {
      pairs.push_back({parameters[i], found[i]});
    }
  }
  at.check(unused.empty() || optimizer.options.allow_unused,
           "the loss does not depend on the trainable variables {}, or only by way of what has no gradient (integers, "
           "comparisons, masks, stop_gradient); freeze them with a rate_multiplier of 0 or set allow_unused",
           fmt::join(unused, ", "));
  at.check(!pairs.empty() || !frozen, "rate_multipliers of 0 freeze all that the loss depends on");
  at.check(!pairs.empty(), "the loss depends on no trainable variable");
  return apply_gradients(pairs, store, optimizer, where);
}

}  // namespace eddy
