// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "eddy/graph/value.h"

namespace eddy {

/// Mean of (prediction - target)^2 over all elements: a scalar f32. The target may broadcast to the prediction, else
/// GraphError.
Value mean_squared_error(Operand prediction, Operand target);

/// The same weighted per element: sum(weights * (prediction - target)^2) / sum(weights); 0 when all weights are 0.
/// Weights broadcast to the prediction.
Value mean_squared_error(Operand prediction, Operand target, Operand weights);

}  // namespace eddy
