// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <new>
#include <string>
#include <vector>

#include "eddy/core/error.h"
#include "eddy/core/shape.h"
#include "eddy/graph/variable.h"
#include "eddy/ops/elementwise.h"
#include "eddy/optimizers/row_catch_up.h"

/// What the ops that leave rows behind and the host that brings them up to date have in common; internal.
namespace eddy {

inline std::int64_t row_width(const Shape& table) { return table.product(1, table.rank()); }

/// Prepares for `row` after `done` steps. Steps whose rates were not noted have moved the row already.
inline void prepare_for(RowCatchUp& catch_up, const std::int32_t* row_steps, std::int64_t row, std::int64_t done) {
  const std::int64_t gap = done - row_steps[row];
  require<GraphError>(gap >= 0 && gap <= catch_up.noted(),
                      "row {} was brought up to step {} of {}, but some steps since were not noted: a program that "
                      "does not update it so shares the optimizer's name and has run in between; give it another name",
                      row, row_steps[row], done);
  catch_up.prepare(gap);
}

/// What the ops know of the rule; a base of theirs.
struct CatchUpAttributes {
  UpdateRule rule;

  static void attributes(auto& op, auto&& visit) {
    visit("decoupled_decay", op.rule.kind == UpdateRule::Kind::adamw);
    visit("beta1", op.rule.beta1);
    visit("beta2", op.rule.beta2);
    visit("epsilon", op.rule.epsilon);
    visit("weight_decay", op.rule.weight_decay);
  }
  RowCatchUp* make(void* memory, const float* rates, std::int64_t done) const {
    return new (memory) RowCatchUp(rule, rates, done);
  }
};

/// Of the variables with the steps of the rows.
inline std::string row_steps_prefix(const std::string& name) { return name + "/row_step/"; }

/// Of the variable with a table's latest rates.
inline std::string recent_rates_name(const std::string& name, const std::string& parameter) {
  return name + "/learning_rates/" + parameter;
}

/// The latest rates of a table: its own or, from a checkpoint of before each had its own, those of all tables.
inline Tensor recent_rates_of(const ParameterStore& store, const std::string& name, const std::string& parameter,
                              double rate_multiplier) {
  if (const auto own = store.find(recent_rates_name(name, parameter))) return own->value;
  const Tensor rates(f32, {RowCatchUp::kWindow});
  std::ranges::fill(rates.values<float>(), RowCatchUp::kNotNoted);
  if (const auto of_all = store.find(name + "/learning_rates"))
    std::ranges::transform(of_all->value.values<const float>(), rates.values<float>().begin(), [&](float rate) {
      return std::isnan(rate) ? RowCatchUp::kNotNoted : static_cast<float>(static_cast<double>(rate) * rate_multiplier);
    });
  return rates;
}

/// Parameters whose rows the optimizer of that name leaves behind: all that have steps of rows, or only those of which
/// some row is behind at present.
std::vector<std::string> tables_behind(const ParameterStore& store, const std::string& name, bool all);

}  // namespace eddy
