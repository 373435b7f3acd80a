// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "eddy/data/pair_batches.h"
#include "eddy/graph/program.h"
#include "eddy/models/sequence_decoding.h"

/// Builder functions (see graph/value.h).
namespace eddy {

/// A batch of pairs as inputs of a graph, "source", "source_mask", "target_in" and so on; and its tensors as theirs.
/// Bindings share the batch's memory.
PairValues pair_inputs(Graph& graph, std::int64_t source_time, std::int64_t target_time, std::int64_t rows);
inline PairValues pair_inputs(Graph& graph, const PairBatch& batch) {
  return pair_inputs(graph, batch.source_time(), batch.target_time(), batch.rows());
}
std::vector<Binding> pair_bindings(const PairBatch& batch);

}  // namespace eddy
