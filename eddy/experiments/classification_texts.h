// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "eddy/experiments/classification_task.h"

namespace eddy {

/// Labelled texts of the user's own, in tsv or csv files. Its reader throws DataError naming file and line for what
/// read_delimited refuses and for a test label that no training text has, and naming the file for fewer than two
/// classes, for as many as texts, and for too few texts; UsageError for a file that is neither tsv nor csv. Its
/// functions keep no state.
ClassificationTask own_texts_task();

/// How the labelled texts are read, with what their first line says of what was left open: the columns, and their
/// names. Throws as the task's reader.
DataConfig completed_reading(const ClassificationSource& source);

}  // namespace eddy
