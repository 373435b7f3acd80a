// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <vector>

#include "eddy/core/source_location.h"
#include "eddy/graph/gradient.h"
#include "eddy/graph/value.h"
#include "eddy/graph/variable.h"
#include "eddy/optimizers/optimizer.h"
#include "eddy/optimizers/update_op.h"

namespace eddy {

/// Whether rows may be left behind under `rule` and brought up to date later (see RowCatchUp): Adam, and AdamW with
/// its decoupled decay.
bool can_catch_up(const UpdateRule& rule);

/// Variables "<name>/learning_rates/<parameter>" f32[RowCatchUp::kWindow], the rates, with its multiplier, of the
/// latest steps that updated the parameter, at t % kWindow, and RowCatchUp::kNotNoted where the next one's goes, and
/// "<name>/row_step/<parameter>" i32[rows], the step up to which each row is up to date. Those made anew begin with all
/// rows up to date.
Value recent_rates(Graph& graph, ParameterStore& store, const std::string& name, const Variable& parameter,
                   double rate_multiplier);
Value row_steps(Graph& graph, ParameterStore& store, const std::string& name, const Variable& parameter);

/// What a row-sparse update reads and writes besides the parameter.
struct CaughtUpState {
  std::vector<Value> slots;  ///< m and v
  Value row_steps;
  Value rates;
  Value done;  ///< i32[] variable: steps before this one
};

/// One step of Adam on the rows that `gradient`, one coalesced part, names, each brought up to date first, and on a
/// small part of the table, another at each step, so that no row falls far behind. Costs what these rows cost. In
/// programs that hold it, what reads `parameter` reads rows brought up to date: together they compute what dense
/// updates would, up to rounding. `controls` brings no step: it is the one after `state.done`. Results: the parameter,
/// the slots, the steps of the rows, the rates.
std::vector<Value> update_caught_up_rows(const UpdateSettings& settings, Value parameter, const CaughtUpState& state,
                                         const Gradient& gradient, const UpdateControls& controls,
                                         SourceLocation where = SourceLocation::current());

/// Brings all rows up to date for good: parameters and slots are then those of dense updates. For a store that was
/// loaded to be used, or to be trained otherwise. `optimizer` is the one that trained. Writes the variables in place:
/// not while a program that uses the store runs. Throws UsageError when the optimizer's variables are not all there,
/// and GraphError when other programs made steps that it did not note.
void bring_rows_up_to_date(const ParameterStore& store, const Optimizer& optimizer);

/// While it lives, the parameters hold what dense updates would have left in them, for evaluation and for files without
/// optimizer slots: contents are replaced, addresses stay, and all programs see it. Afterwards all is as it was, bit
/// for bit. Do not train meanwhile. The store must outlive it. `optimizer` is the one that trained; without rows left
/// behind nothing happens, as while another one lives. Throws as bring_rows_up_to_date().
class CurrentRows {
 public:
  CurrentRows(const ParameterStore& store, const Optimizer& optimizer);
  ~CurrentRows();
  CurrentRows(const CurrentRows&) = delete;
  CurrentRows& operator=(const CurrentRows&) = delete;

 private:
  void restore() const;

  std::vector<std::pair<Tensor, Tensor>> saved_;  ///< memory of a variable, and what it held
};

}  // namespace eddy
