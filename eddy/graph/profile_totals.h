// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "eddy/graph/program.h"

namespace eddy {

/// All nodes of one op in a profile.
struct OpTotal {
  std::string op;  ///< "matmul"; of a loop's body "scan/matmul"
  double seconds = 0;
  double flops = 0;
  double bytes = 0;
  int count = 0;
};

/// The ops of a profile, those that take longest first. A pure function.
std::vector<OpTotal> totals_by_op(const Profile& profile);

}  // namespace eddy
