// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "eddy/graph/value.h"

namespace eddy {

/// exp(x) / sum(exp(x)) along `axis`, f32; stable for any finite x.
Value softmax(Operand x, int axis = -1);

}  // namespace eddy
