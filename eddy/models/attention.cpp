// SPDX-License-Identifier: Apache-2.0
#include "eddy/models/attention.h"

#include "eddy/graph/builder_scope.h"
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

void check_sizes(const BuilderScope& at, const Attention& attention, Value query) {
  at.expect("query", query, f32, {"batch", "query"});
  const std::int64_t batch = query.dim(0), width = query.dim(1);
  const Value& memory = attention.memory;
  at.expect("memory", memory, f32, {batch, "source", "features"});
  const std::int64_t source = memory.dim(1), features = memory.dim(2);
  if (attention.mask) at.expect("mask", attention.mask, f32, {batch, source});
  switch (attention.energy) {
    case AttentionEnergy::additive:
      at.expect("keys", attention.keys, f32, {batch, source, "attention"});
      at.expect("w_query", attention.w_query, f32, {width, attention.keys.dim(2)});
      at.expect("w_energy", attention.w_energy, f32, {attention.keys.dim(2)});
      break;
    case AttentionEnergy::dot:
      at.check(features == width,
               "the energy 'dot' needs queries as wide as the memory, but they are {} and {} wide; 'general' takes any",
               width, features);
      break;
    case AttentionEnergy::general:
      at.expect("w_query", attention.w_query, f32, {width, features});
      break;
    case AttentionEnergy::linear:
      at.expect("w_query", attention.w_query, f32, {width});
      at.expect("w_energy", attention.w_energy, f32, {features});
      at.expect("bias", attention.bias, f32, {1});
      break;
  }
}

/// memory [batch, source, features] . query [batch, features] -> [batch, source]
Value product(Value memory, Value query) { return squeeze(matmul(memory, expand_dims(query, 2)), 2); }

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
  const Value of_query = matmul(query, attention.w_query);
  return matmul(attention.memory, attention.w_energy) + expand_dims(of_query, 1) + attention.bias;
}

}  // namespace

Attention::Result Attention::operator()(Value query, SourceLocation where) const {
  const BuilderScope at("Attention", "query", query, where);
  check_sizes(at, *this, query);
  Value energies = energy_of(*this, query);
  // Far below any energy, yet finite, so that a row with nothing to attend to stays a number.
  if (mask) energies = eddy::where(greater(mask, 0), energies, -1e9F);
  Value weights = softmax(energies, 1);
  if (mask) weights = weights * mask;
  return {.context = squeeze(matmul(expand_dims(weights, 1), memory), 1), .weights = weights};
}

}  // namespace eddy
