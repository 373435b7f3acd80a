// SPDX-License-Identifier: Apache-2.0
#include "eddy/models/attention.h"

#include "eddy/core/error.h"
#include "eddy/ops/add.h"
#include "eddy/ops/compare.h"
#include "eddy/ops/matmul.h"
#include "eddy/ops/mul.h"
#include "eddy/ops/reshape.h"
#include "eddy/ops/softmax.h"
#include "eddy/ops/tanh.h"
#include "eddy/ops/where.h"

namespace eddy {
namespace {

/// memory [batch, source, features] . query [batch, features] -> [batch, source]
Value product(Value memory, Value query) {
  require<GraphError>(memory.dim(2) == query.dim(1),
                      "the energy 'dot' needs queries as wide as the memory, but they are {} and {} wide; 'general' "
                      "takes any",
                      query.dim(1), memory.dim(2));
  return squeeze(matmul(memory, expand_dims(query, 2)), 2);
}

Value energy_of(const Attention& attention, Value query) {
  switch (attention.energy) {
    case AttentionEnergy::additive: {
      const Value projected = expand_dims(matmul(query, attention.w_query), 1);
      return matmul(tanh(attention.keys + projected), attention.w_energy);
    }
    case AttentionEnergy::dot:
      return product(attention.memory, query);
    case AttentionEnergy::general:
      return product(attention.memory, matmul(query, attention.w_query));
    case AttentionEnergy::linear:
      break;
  }
  require<GraphError>(attention.w_query.shape() == Shape{query.dim(1)},
                      "the energy 'linear' has weights {} for queries {} wide", to_string(attention.w_query.shape()),
                      query.dim(1));
  const Value of_query = matmul(query, attention.w_query);
  return matmul(attention.memory, attention.w_energy) + expand_dims(of_query, 1) + attention.bias;
}

}  // namespace

Attention::Result Attention::operator()(Value query) const {
  Value energies = energy_of(*this, query);
  // Far below any energy, yet finite, so that a row with nothing to attend to stays a number.
  if (mask) energies = where(greater(mask, 0), energies, -1e9F);
  Value weights = softmax(energies, 1);
  if (mask) weights = weights * mask;
  return {.context = squeeze(matmul(expand_dims(weights, 1), memory), 1), .weights = weights};
}

}  // namespace eddy
