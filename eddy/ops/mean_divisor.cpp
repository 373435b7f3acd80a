// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/mean_divisor.h"

#include "eddy/ops/add.h"
#include "eddy/ops/cast.h"
#include "eddy/ops/compare.h"
#include "eddy/ops/elementwise.h"

namespace eddy {

Value mean_divisor(Operand total) {
  const SourceLocation at = total.where;
  const Value sum = value_of("mean_divisor", total);
  return add({sum, at}, {cast({equal({sum, at}, {0.0F, at}), at}, f32), at});
}

}  // namespace eddy
