// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal: part of optimizers.

#include <vector>

#include "eddy/core/source_location.h"
#include "eddy/graph/gradient.h"
#include "eddy/graph/value.h"
#include "eddy/optimizers/update_rule.h"

namespace eddy {

/// Which rows a row-sparse gradient updates.
enum class UpdatedRows : std::uint8_t {
  all,      ///< every row, those without a gradient with zeros: the same as a dense gradient, bit for bit
  touched,  ///< only rows the gradient names
};

/// How one parameter is updated.
struct UpdateSettings {
  UpdateRule rule;
  double rate_multiplier = 1;
  double clip_value = 0;  ///< clamps gradient elements to [-clip_value, clip_value]; 0: not
  UpdatedRows rows = UpdatedRows::all;
};

/// The scalars all updates of one step share.
struct UpdateControls {
  Value learning_rate;   ///< f32[]
  Value step;            ///< i32[]: 1 at the first update; empty for update_caught_up_rows()
  Value gradient_scale;  ///< f32[]: gradients are multiplied by it
  Value proceed;         ///< bool[]: false leaves everything as it is
};

/// One fused update of the variable `parameter` f32[…] and its slots, in place: every array is read and written once.
/// A row-sparse gradient must be one coalesced part; otherwise it must be dense. Results: the new parameter, then the
/// new slots. Throws GraphError for types that do not fit.
std::vector<Value> update_parameter(const UpdateSettings& settings, Value parameter, const std::vector<Value>& slots,
                                    const Gradient& gradient, const UpdateControls& controls,
                                    SourceLocation where = SourceLocation::current());

}  // namespace eddy
