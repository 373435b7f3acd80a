// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "eddy/graph/value.h"

namespace eddy {

/// `x` as a number whose origin no gradient sees. A view.
Value stop_gradient(Operand x);

}  // namespace eddy
