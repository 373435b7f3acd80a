// SPDX-License-Identifier: Apache-2.0
#include "eddy/models/softmax_loss.h"

#include "eddy/graph/builder_scope.h"
#include "eddy/ops/linear_cross_entropy.h"
#include "eddy/ops/reshape.h"
#include "eddy/ops/sampled_softmax.h"
#include "eddy/ops/samplers.h"

namespace eddy {

namespace {

void check_positions(const BuilderScope& at, Value states, Value targets, Value weights) {
  at.expect("states", states, f32, {"time", "batch", "size"});
  at.expect("targets", targets, i32, {states.dim(0), states.dim(1)});
  at.expect("weights", weights, f32, {states.dim(0), states.dim(1)});
}

}  // namespace

Positions flat_positions(Value states, Value targets, Value weights, SourceLocation where) {
  const BuilderScope at("flat_positions", "states", states, where);
  check_positions(at, states, targets, weights);
  const std::int64_t count = targets.shape().elements();
  return {reshape(states, {count, states.dim(-1)}), reshape(targets, {count}), reshape(weights, {count})};
}

Value softmax_loss(Value states, Value table, Value bias, Value targets, Value weights, std::int64_t samples, Value key,
                   SourceLocation where) {
  const BuilderScope at("softmax_loss", "states", states, where);
  check_positions(at, states, targets, weights);
  at.expect("table", table, f32, {"classes", states.dim(2)});
  at.expect("bias", bias, f32, {table.dim(0)});
  const Positions flat = flat_positions(states, targets, weights);
  if (samples == 0)
    return linear_cross_entropy(flat.states, table, bias, flat.targets, shares_of_mean(flat.targets, flat.weights));
  const SampledIds drawn = log_uniform_sampler(key, samples, table.dim(0), flat.targets);
  return sampled_softmax_cross_entropy(flat.states, table, bias, flat.targets, drawn, {.weights = flat.weights});
}

}  // namespace eddy
