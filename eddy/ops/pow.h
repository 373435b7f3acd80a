// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "eddy/graph/value.h"

namespace eddy {

/// base^exponent, f32 with NumPy broadcasting. Special cases are those of the C library's pow, for an exponent that is
/// a number too: pow(-0, 0.5) is +0 and pow(-infinity, 0.5) infinity, where sqrt gives -0 and NaN. The gradient with
/// respect to a variable exponent is taken as 0 where the base is not above 0.
Value pow(Operand base, Operand exponent);

}  // namespace eddy
