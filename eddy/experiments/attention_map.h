// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "eddy/experiments/chart.h"

namespace eddy {

/// What a decoder looked at, for one pair. A plain value; its picture is a pure function of it.
struct AttentionMap {
  std::string title{};
  /// Real tokens in reading order, without padding.
  std::vector<std::string> source{};
  std::vector<std::string> target{};
  /// [steps, source_time], as the model gave them: at least one row per target token and one column per source token.
  std::vector<float> weights{};
  std::int64_t source_time = 0;
  /// The encoder read the real tokens last to first (PairBatchOptions::reverse_source).
  bool reversed = false;
};

/// A heat map with the target as rows and the source as columns, both in reading order: columns of padding and steps
/// after the target are left out, a reversed source is turned back, and labels above 24 characters are shortened.
/// UsageError for sizes that do not fit.
HeatMap attention_heat_map(const AttentionMap& map);

}  // namespace eddy
