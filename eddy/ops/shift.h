// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

#include "eddy/graph/value.h"

namespace eddy {

/// `x` moved by `steps` along axis 0 (time): result[t] = x[t - steps], so that shift(tokens, -1) is the next token.
/// Vacated places get `fill`: by default 0, and for i32 -1, which embedding() and cross_entropy() ignore. Any dtype,
/// of which `fill` must be a value.
Value shift(Operand x, std::int64_t steps, std::optional<double> fill = {});

}  // namespace eddy
