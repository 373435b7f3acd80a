// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "eddy/ops/check_gradients.h"

namespace eddy::test {

using eddy::check_gradients;
using eddy::Terms;

}  // namespace eddy::test
