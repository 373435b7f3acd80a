// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "eddy/data/encode.h"
#include "eddy/experiments/classification.h"

namespace eddy {

/// A task's texts as ids: part "train" with the labelled documents first and the unlabelled ones after them, and part
/// "test", which has no say in the vocabulary. A plain value.
struct ClassificationData {
  EncodedDataset encoded;
  /// Differs for other texts, splits and ways to encode; the same for a file that was moved or copied.
  std::uint64_t identity = 0;
  std::int32_t labelled = 0;  ///< documents at the beginning of "train" that have a label
  /// Documents for pretraining, and those at the end of "train" whose loss is followed meanwhile. In neither are the
  /// unlabelled documents that stand in the test part too, token for token: `test_in_unlabelled`; of the user's own
  /// files, no labelled ones either.
  std::vector<std::int32_t> pretraining, pretraining_validation, test_in_unlabelled;
  std::int64_t test_in_train = 0;  ///< labelled documents that stand in the test part too
};

/// From the cache when that is good. Throws DataError for missing or bad files, UsageError when no data is named. No
/// state but the cache's file.
ClassificationData load_classification_data(const ClassificationOptions& options);

}  // namespace eddy
