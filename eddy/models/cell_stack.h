// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "eddy/ops/scan.h"

namespace eddy {

/// Recurrent cells on top of each other as one step function for scan(): what one yields is what the next one reads.
/// Cell l keeps its states under "h<l>" and "c<l>", or all share one "h" and "c". A plain value.
struct CellStack {
  using Cell = std::function<Step(Value x, const State& state)>;

  std::vector<Cell> cells;
  /// One (h, c) goes up through the cells; what the top cell leaves is where the bottom one begins at the next step
  /// ("state_sync" of recurrentshop). All cells must have one width.
  bool share_state = false;
  /// Between the cells, while training; each step draws anew.
  float dropout = 0;
  bool drop_input = false;   ///< also before the bottom cell
  bool drop_output = false;  ///< also after the top cell
  Value key = {};            ///< random_key(); empty: no dropout

  /// x f32[batch, in], `step` i32[] for the dropout. Named outputs of the cells keep their names.
  Step operator()(Value x, const State& state, Value step, SourceLocation where = SourceLocation::current()) const;

  /// Names of the states of cell `layer`.
  std::string h(std::size_t layer) const;
  std::string c(std::size_t layer) const;
  /// Zeros for cells of the given widths; `like` is any value of the graph.
  State zeros(Value like, std::int64_t batch, const std::vector<std::int64_t>& widths,
              SourceLocation where = SourceLocation::current()) const;
};

}  // namespace eddy
