// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "eddy/experiments/report.h"
#include "eddy/experiments/wordnet.h"

namespace eddy {

/// The table of test errors: mean and spread over the seeds.
Table wordnet_table(const WordnetOptions& options, const WordnetResults& results);

/// Table, learning curves, configuration, environment and command, in the folder `options.output`.
void write_wordnet_report(const WordnetOptions& options, const WordnetResults& results);

}  // namespace eddy
