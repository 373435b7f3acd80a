// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "eddy/data/encoded_corpus.h"
#include "eddy/experiments/training_config.h"

/// A pure function.
namespace eddy {

/// Documents of `corpus` kept from training, by the config's fraction and seed (of the labelled ones for a
/// classification), and the rest. At least one is kept when the fraction is not 0; then at least two are needed, and of
/// two groups where groups stay whole. Throws DataError where there are fewer.
struct ValidationSplit {
  std::vector<std::int32_t> train;
  std::vector<std::int32_t> validation;
};
ValidationSplit split_validation(const TrainingConfig& config, const EncodedCorpus& corpus);

}  // namespace eddy
