// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "eddy/ops/check_op.h"
#include "eddy/ops/check_op_parts.h"
#include "tests/support/golden.h"

namespace eddy::test {

using checks::build_graph;
using checks::CaseData;
using checks::CaseGraph;
using checks::run;

/// Inputs, weights and what to expect, as recorded.
CaseData make_data(const Golden& golden);

/// check_op() on one check; a case with a golden is compared with that.
std::vector<std::string> problems_of(const OpCase& op_case, OpCheck check);

}  // namespace eddy::test
