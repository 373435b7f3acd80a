// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal: part of the configs of trainings.

#include <cstdint>
#include <string_view>

#include "eddy/experiments/training_config.h"

/// Checks that the configs of all trainings share. Each throws UsageError naming the setting and its value.
namespace eddy {

inline constexpr std::int64_t kMostItems = 1'000'000'000;
/// What sizes and batches may have: within an int, and no machine has memory for more.
inline constexpr std::int64_t kLargestSize = 1 << 20;
inline constexpr std::int64_t kMostLayers = 100;

void check_count(std::string_view name, std::int64_t value, std::int64_t low, std::int64_t high = kMostItems);
/// Finite, too: infinity and NaN are refused.
void check_number(std::string_view name, double value, double low, double high = 1e30);
/// From 0 to less than 1.
void check_share(std::string_view name, double value);
void check_cells(const StackConfig& cells);
void check_optimizer(const OptimizerSettings& optimizer);

}  // namespace eddy
