// SPDX-License-Identifier: Apache-2.0
#include "eddy/core/cgroup.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <sstream>
#include <string>

namespace eddy {
namespace {

namespace fs = std::filesystem;

/// "200000 100000" or, of version 1, the contents of two files; nothing for no limit.
std::optional<double> share_in(const fs::path& folder) {
  std::string quota;
  double period = 0;
  std::ifstream both(folder / "cpu.max");
  if (!(both >> quota >> period)) {
    std::ifstream first(folder / "cpu.cfs_quota_us"), second(folder / "cpu.cfs_period_us");
    if (!(first >> quota) || !(second >> period)) return std::nullopt;
  }
  std::istringstream text(quota);
  double time = 0;
  // "max" is no number; version 1 has -1 for no limit.
  if (!(text >> time) || time <= 0 || period <= 0) return std::nullopt;
  return time / period;
}

/// The tightest limit of a group and those it is part of.
std::optional<double> share_of(const fs::path& root, const fs::path& group) {
  std::optional<double> least;
  const auto add = [&](const fs::path& folder) {
    if (const auto share = share_in(folder)) least = std::min(*share, least.value_or(*share));
  };
  fs::path folder = root;
  add(folder);
  for (const fs::path& name : group) {
    // A group above what is mounted here has no folder.
    if (name == "..") break;
    folder /= name;
    add(folder);
  }
  return least;
}

}  // namespace

std::optional<int> quota_processors(const fs::path& groups, const fs::path& mount) {
  std::optional<double> least;
  std::ifstream lines(groups);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const bool has_cpu = ("," + controllers + ",").find(",cpu,") != std::string::npos;
    if (!controllers.empty() && !has_cpu) continue;
    const fs::path group = fs::path(line.substr(second + 1)).relative_path();
    if (const auto share = share_of(controllers.empty() ? mount : mount / controllers, group))
      least = std::min(*share, least.value_or(*share));
  }
  if (!least) return std::nullopt;
  return static_cast<int>(std::clamp(std::ceil(*least), 1.0, 1e6));
}

}  // namespace eddy
