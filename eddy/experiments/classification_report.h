// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "eddy/experiments/classification.h"
#include "eddy/experiments/report.h"

/// No state: safe to call concurrently for different folders.
namespace eddy {

/// The table of test errors: mean and spread over the seeds, then the baselines, then what was published.
Table classification_table(const ClassificationOptions& options, const ClassificationResults& results);

/// Table, learning curves, configuration, environment and command, in the folder `options.output`. Throws as
/// write_report().
void write_classification_report(const ClassificationOptions& options, const ClassificationResults& results);

}  // namespace eddy
