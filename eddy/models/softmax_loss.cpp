// SPDX-License-Identifier: Apache-2.0
#include "eddy/models/softmax_loss.h"

#include "eddy/ops/linear_cross_entropy.h"
#include "eddy/ops/reshape.h"
#include "eddy/ops/sampled_softmax.h"
#include "eddy/ops/samplers.h"

namespace eddy {

Positions flat_positions(Value states, Value targets, Value weights) {
  const std::int64_t count = targets.shape().elements();
  return {reshape(states, {count, states.dim(-1)}), reshape(targets, {count}), reshape(weights, {count})};
}

Value softmax_loss(Value states, Value table, Value bias, Value targets, Value weights, std::int64_t samples,
                   Value key) {
  const Positions flat = flat_positions(states, targets, weights);
  if (samples == 0)
    return linear_cross_entropy(flat.states, table, bias, flat.targets, shares_of_mean(flat.targets, flat.weights));
  const SampledIds drawn = log_uniform_sampler(key, samples, table.dim(0), flat.targets);
  return sampled_softmax_cross_entropy(flat.states, table, bias, flat.targets, drawn, {.weights = flat.weights});
}

}  // namespace eddy
