// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "eddy/graph/variable.h"

namespace eddy {

/// Of the trainable f32 variables the first element that is infinite or NaN, as "weight 'w' is inf at element 3"; empty
/// when there is none. No state; not while a program that uses the store runs.
std::string non_finite_weight(const ParameterStore& store);

}  // namespace eddy
