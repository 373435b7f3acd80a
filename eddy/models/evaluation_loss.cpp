// SPDX-License-Identifier: Apache-2.0
#include "eddy/models/evaluation_loss.h"

#include "eddy/graph/graph.h"
#include "eddy/ops/add.h"
#include "eddy/ops/cast.h"
#include "eddy/ops/compare.h"
#include "eddy/ops/cross_entropy.h"
#include "eddy/ops/div.h"
#include "eddy/ops/mul.h"
#include "eddy/ops/reshape.h"
#include "eddy/ops/scan.h"
#include "eddy/ops/sum.h"

namespace eddy {

Value evaluation_loss(Value hidden, Value targets, Value weights, std::int64_t classes,
                      const std::function<Value(Value rows)>& logits, std::int64_t most_bytes) {
  const std::int64_t positions = targets.shape().elements();
  if (positions * classes * static_cast<std::int64_t>(sizeof(float)) <= most_bytes) {
    const Value all = logits(reshape(hidden, {positions, hidden.dim(-1)}));
    return cross_entropy(all, reshape(targets, {positions}), {.weights = reshape(weights, {positions})});
  }
  const auto step = [&](std::span<const Value> now, const State&) {
    return Step{.output = cross_entropy(logits(now[0]), now[1], {.weights = now[2], .reduction = Reduction::sum})};
  };
  const Value losses = scan(step, {hidden, targets, weights}, {}, {.recompute = true}).output;
  const Value total = sum(weights * cast(greater_equal(targets, targets.graph().constant(Tensor::scalar(0))), f32));
  return sum(losses) / (total + cast(equal(total, 0.0F), f32));
}

}  // namespace eddy
