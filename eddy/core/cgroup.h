// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal: part of threads.

#include <filesystem>
#include <optional>

namespace eddy {

/// Processors whose whole time the control groups of this process allow it, rounded up and at least 1: what containers
/// are limited by, beside the processors they may run on. Nothing without a limit, or where none can be read.
std::optional<int> quota_processors(const std::filesystem::path& groups = "/proc/self/cgroup",
                                    const std::filesystem::path& mount = "/sys/fs/cgroup");

}  // namespace eddy
