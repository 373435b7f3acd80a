// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "eddy/experiments/report.h"

/// A pure function.
namespace eddy {

/// One report of several: tables with the same columns become one with the run in front of each row, curves of charts
/// with the same name and vertical axis lie in one picture, and of configurations and environments only what differs is
/// shown; of what some runs lack, only what is not the default. Titles and captions that differ stand with their runs.
/// At least two reports, each with a name of its own, else UsageError.
Report compare_reports(const std::vector<std::pair<std::string, Report>>& runs);

}  // namespace eddy
