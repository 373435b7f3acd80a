// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "eddy/graph/value.h"

namespace eddy {

/// Rows `tokens` i32[…] of `table` f32[vocabulary, size]: f32[…, size]; [time, batch] tokens give [time, batch, size].
/// A negative token gives a row of zeros and no gradient. The table's gradient is row-sparse: it costs what the batch
/// costs, whatever the vocabulary. A token beyond the table is an error at run time, with its position.
Value embedding(Operand table, Operand tokens);

}  // namespace eddy
