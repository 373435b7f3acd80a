// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "eddy/ops/scan.h"

namespace eddy {

/// Recurrent cells on top of each other, for the step of a scan(): what one yields is what the next one reads. Without
/// dropout `scan([&](Value x, const State& s) { return stack(x, s, {}); }, …)`; else over two sequences, the inputs and
/// iota(graph, time), as `stack(in[0], s, in[1])`.
/// Cells are functions of x and their states, of any names, or of [x, the number of the step] and their states, as
/// ZoneoutLstmCell is. State "h" of cell l goes by "h<l>" ("h1" by "h1/<l>"), or all cells share one. A plain value.
struct CellStack {
  std::vector<StepFunction> cells;
  /// One set of states goes up through the cells; what the top cell leaves is where the bottom one begins at the next
  /// step ("state_sync" of recurrentshop). All cells must have one width.
  bool share_state = false;
  /// Between the cells, while training; each step draws anew.
  float dropout = 0;
  bool drop_input = false;   ///< also before the bottom cell
  bool drop_output = false;  ///< also after the top cell
  Value key = {};            ///< random_key(); empty: no dropout

  /// x f32[batch, in], `step` i32[] for the dropout and the cells. Named outputs of the cells keep their names, but
  /// those that several cells have: these are numbered as states are. States that are no cell's stay as they are.
  /// Throws GraphError as its cells do.
  Step operator()(Value x, const State& state, Value step, SourceLocation where = SourceLocation::current()) const;

  /// What the stack calls state `name` of cell `layer`.
  std::string name(std::string_view name, std::size_t layer) const;
  std::string h(std::size_t layer) const { return name("h", layer); }
  std::string c(std::size_t layer) const { return name("c", layer); }
  /// Zeros for cells of the given widths with states of these names; `like` is any value of the graph. f32[batch,
  /// width] each; GraphError for another number of widths than of cells.
  State zeros(Value like, std::int64_t batch, const std::vector<std::int64_t>& widths,
              std::initializer_list<std::string_view> names = {"h", "c"},
              SourceLocation where = SourceLocation::current()) const;
};

}  // namespace eddy
