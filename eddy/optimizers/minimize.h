// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <vector>

#include "eddy/core/source_location.h"
#include "eddy/graph/gradient.h"
#include "eddy/graph/variable.h"
#include "eddy/optimizers/optimizer.h"
#include "eddy/optimizers/rules.h"

namespace eddy {

/// One training step as part of a graph. It converts to `step`, so it can stand among the results of compile().
/// The other values may be asked for beside it; alone they update nothing.
struct Updates {
  Value step;           ///< i32[]: updates done, this one included; computing it performs the updates
  Value gradient_norm;  ///< f32[]: Euclidean norm of all gradients that are clipped together, before clipping
  Value learning_rate;  ///< f32[]: the rate of this step, multipliers aside
  Value proceed;        ///< bool[]: false when the step was skipped for an infinite or NaN gradient
  /// The variables' values before and after the step. To read `after` of a table whose rows catch_up_rows leaves behind
  /// is an error of compile().
  struct Parameter {
    Value before, after;
  };
  std::vector<Parameter> parameters;

  operator Value() const { return step; }  // NOLINT
};

/// A variable and the gradient of the loss with respect to it.
struct ParameterGradient {
  Value parameter;
  Gradient gradient;
};

/// Adds to the loss's graph the gradients of all its trainable variables, clipping and their updates. Slots, the step
/// and the counters are variables of `store`, named in UpdateOptions; a graph that draws random numbers also gets its
/// key advanced. Throws GraphError naming the trainable variables the loss does not depend on, unless they are allowed.
/// So it does for a loss that is not one f32 number, and, unless they are allowed, for prefixes in the options that fit
/// nothing.
Updates minimize(Value loss, ParameterStore& store, const Optimizer& optimizer,
                 SourceLocation where = SourceLocation::current());

/// The same for gradients of one's own making. Row-sparse gradients are coalesced; those with a dense part as well
/// (tied embeddings) are added up into one dense array. Parameters that a rate_multiplier of 0 freezes are
/// left alone and out of the norm. Throws GraphError for an empty list or gradient, and for what is no trainable
/// variable of the store or given twice.
Updates apply_gradients(std::span<const ParameterGradient> gradients, ParameterStore& store, const Optimizer& optimizer,
                        SourceLocation where = SourceLocation::current());

}  // namespace eddy
