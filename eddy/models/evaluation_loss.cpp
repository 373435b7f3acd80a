// SPDX-License-Identifier: Apache-2.0
#include "eddy/models/evaluation_loss.h"

#include "eddy/ops/cross_entropy.h"
#include "eddy/ops/linear.h"
#include "eddy/ops/linear_cross_entropy.h"
#include "eddy/ops/reshape.h"

namespace eddy {

Value evaluation_loss(Value hidden, Value table, Value bias, Value targets, Value weights, std::int64_t most_bytes) {
  const std::int64_t positions = targets.shape().elements();
  const Value rows = reshape(hidden, {positions, hidden.dim(-1)});
  const Value of_rows = reshape(targets, {positions});
  const Value counted = reshape(weights, {positions});
  if (positions * table.dim(0) * static_cast<std::int64_t>(sizeof(float)) > most_bytes)
    return linear_cross_entropy(rows, table, bias, of_rows, shares_of_mean(of_rows, counted));
  return cross_entropy(linear(rows, table, bias, {.transpose_w = true}), of_rows, {.weights = counted});
}

}  // namespace eddy
