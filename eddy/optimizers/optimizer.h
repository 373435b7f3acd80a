// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "eddy/optimizers/schedule.h"
#include "eddy/optimizers/update_rule.h"

namespace eddy {

/// How updates are applied, whatever the rule. Parameters are picked by prefixes of their names ("embedding/").
struct UpdateOptions {
  /// Clamps each element of the gradients to [-clip_value, clip_value]; 0: not. Not together with clip_norm.
  double clip_value = 0;
  /// Parameters whose gradients neither count in the norm of clip_norm nor are scaled by it.
  std::vector<std::string> unclipped = {};
  /// Parameters without weight decay.
  std::vector<std::string> undecayed = {};
  /// Factors of the learning rate by prefix, the longest that fits: discriminative fine-tuning. 0 freezes, at no cost.
  std::vector<std::pair<std::string, double>> rate_multipliers = {};
  /// Updates that were done before parameters with such a prefix began to learn (see gradual unfreezing, Howard & Ruder
  /// 2018): their own steps count from there, which the bias corrections of Adam need.
  std::vector<std::pair<std::string, std::int64_t>> first_steps = {};
  /// Updates only the rows that a row-sparse gradient names. False: exactly what the dense gradient would do, though
  /// momenta and averages of all rows then move at each step. True: cheap for large tables, and with decaying slots a
  /// different algorithm (PyTorch's SparseAdam).
  bool lazy_rows = false;
  /// Adam without L2 decay, and AdamW: a row-sparse gradient updates only the rows it names; what the dense one would
  /// do to the others happens when they are read next (see row_catch_up.h). The same to rounding as without, at the
  /// cost of the rows of a batch. Programs that train read rows as they should be; before other programs or the host
  /// look at the parameters, see CurrentRows in caught_up_rows.h. Programs whose optimizers share a name must all
  /// update the table so: GraphError, at the latest when rows are read after other steps. Not together with moving
  /// averages. Does nothing where lazy_rows does.
  bool catch_up_rows = false;
  /// Leaves all parameters, slots and the step as they are when a gradient is infinite or NaN, and counts that in the
  /// variable "<name>/skipped_steps".
  bool skip_non_finite = true;
  /// Accepts trainable variables that the loss does not depend on; otherwise they are an error.
  bool allow_unused = false;
  /// Accepts prefixes above that no trainable variable of the store begins with; otherwise they are an error.
  bool allow_unmatched = false;
  /// Prefix of the optimizer's variables: "<name>/step", "<name>/<slot>/<parameter>". Optimizers of one name share
  /// them.
  std::string name = "optimizer";
};

/// An update rule with its learning rate and options; made by the builders in rules.h. A plain value.
struct Optimizer {
  UpdateRule rule;
  Schedule learning_rate = 0;
  /// Largest Euclidean norm of all gradients together; larger ones are scaled down to it. 0: not.
  double clip_norm = 0;
  UpdateOptions options = {};
};

}  // namespace eddy
