// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal: part of compilation.

#include <span>

#include "eddy/graph/value.h"

namespace eddy {

/// An op that updates a variable, its input 0, but leaves some of its rows behind, to be brought up to date later. In a
/// program that holds such an op, reads of the variable become what these functions build.
class RowReader {
 public:
  virtual ~RowReader() = default;
  /// How many of the op's inputs, from input 0 on, the functions take: all of them variables.
  virtual int state_inputs() const = 0;
  /// Rows `indices` i32[…] of the variable as they should be, like gather_rows.
  virtual Value current_rows(std::span<const Value> state, Value indices) const = 0;
  /// All of it.
  virtual Value current_table(std::span<const Value> state) const = 0;
};

}  // namespace eddy
