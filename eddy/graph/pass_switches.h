// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace eddy {

/// Which passes `compile` runs. Any of them may be off; results stay the same up to rounding. A plain value.
struct PassSwitches {
  bool prune = true;     ///< drop what no result needs
  bool simplify = true;  ///< algebraic clean-up: each op's own rewrite rules
  bool fold = true;      ///< compute small nodes of constants at compile time
  bool cse = true;       ///< merge equal nodes of equal inputs
  bool lower = true;     ///< let ops with graphs inside (loops) move work out of them
  bool fuse = true;      ///< run chains of elementwise ops tile by tile
};

}  // namespace eddy
