// SPDX-License-Identifier: Apache-2.0
#include "eddy/experiments/pair_inputs.h"

namespace eddy {

PairValues pair_inputs(Graph& graph, std::int64_t source_time, std::int64_t target_time, std::int64_t rows) {
  return {.source = graph.input("source", i32, {source_time, rows}),
          .source_mask = graph.input("source_mask", f32, {source_time, rows}),
          .target_in = graph.input("target_in", i32, {target_time, rows}),
          .target_out = graph.input("target_out", i32, {target_time, rows}),
          .target_mask = graph.input("target_mask", f32, {target_time, rows})};
}

std::vector<Binding> pair_bindings(const PairBatch& batch) {
  return {{"source", batch.source},
          {"source_mask", batch.source_mask},
          {"target_in", batch.target_in},
          {"target_out", batch.target_out},
          {"target_mask", batch.target_mask}};
}

}  // namespace eddy
