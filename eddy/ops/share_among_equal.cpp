// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/share_among_equal.h"

#include "eddy/ops/broadcast_to.h"
#include "eddy/ops/cast.h"
#include "eddy/ops/compare.h"
#include "eddy/ops/div.h"
#include "eddy/ops/mul.h"
#include "eddy/ops/sum.h"

namespace eddy {

Value share_among_equal(Value x, Value best, Value d_best, const ReducedAxes& over) {
  const std::vector<int> dropped = over.dropped();
  const Value is_best = cast(equal(x, broadcast_along(best, x.shape(), dropped)), f32);
  const Value share = d_best / sum_along(is_best, over.axes, over.kept);
  return is_best * broadcast_along(share, x.shape(), dropped);
}

}  // namespace eddy
