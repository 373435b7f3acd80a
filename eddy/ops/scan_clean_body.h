// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal: part of how a loop is lowered.

#include <span>
#include <vector>

#include "eddy/graph/passes.h"
#include "eddy/ops/scan_op.h"

namespace eddy {

/// Which of a loop's results are needed, and which states they depend on.
struct ScanNeeds {
  std::vector<bool> states, stacked, sums;

  /// `used`: by output of the op.
  ScanNeeds(const ScanOp& op, const std::vector<bool>& used);
  std::vector<Value> results(const ScanBody& body) const;
};

/// The body after the clean-up passes, with the inputs that are left.
struct CleanScanBody {
  Lowered lowered;
  std::vector<Value> sequences, states, captures;  ///< by position in the first body; empty where no longer read
  std::vector<Value> next, stacked, summed;        ///< likewise; empty where not needed

  /// Literals among `captured`, the values that the body captures, become its own: captured they have gradients, inside
  /// the passes see them.
  CleanScanBody(const ScanBody& body, std::span<const Value> captured, const ScanNeeds& needs,
                const PassSwitches& switches);
};

}  // namespace eddy
