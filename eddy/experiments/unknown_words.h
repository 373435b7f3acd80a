// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "eddy/data/token_set.h"

/// A pure function.
namespace eddy {

/// The texts of a decoded target, with each unknown token replaced by the source word that it looked at most, the first
/// of equal ones (Luong et al. 2015, "Addressing the rare word problem", with attention for the alignment). `ids` has
/// neither go nor end; `attention` [steps, source_time] has a row for each of them at least, as in Hypothesis;
/// `source_words` are the words the model read, in reading order, and `reversed` says that it read them last to first.
/// Without source words unknown tokens stay. UsageError for sizes that do not fit.
std::vector<std::string> replace_unknown(std::span<const std::int32_t> ids, const TokenSet& tokens,
                                         std::span<const std::string> source_words, std::span<const float> attention,
                                         std::int64_t source_time, bool reversed = false);

}  // namespace eddy
