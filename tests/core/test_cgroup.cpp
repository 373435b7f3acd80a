// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include "eddy/core/cgroup.h"
#include "tests/core/temporary_folder.h"

namespace eddy {
namespace {

/// A machine with these groups of the process and these files of limits.
struct Machine {
  explicit Machine(std::string_view groups) { spit(folder / "groups", groups); }
  void write(const std::string& file, std::string_view text) const {
    std::filesystem::create_directories((folder / "mount" / file).parent_path());
    spit(folder / "mount" / file, text);
  }
  std::optional<int> processors() const { return quota_processors(folder / "groups", folder / "mount"); }

  TemporaryFolder folder;
};

TEST_CASE("the quota of a control group is counted in processors, rounded up") {
  const Machine machine("0::/app\n");
  CHECK_FALSE(machine.processors());
  for (const auto& [text, processors] : {std::pair("150000 100000", 2), std::pair("200000 100000\n", 2),
                                         std::pair("5000 100000", 1), std::pair("800000 50000", 16)}) {
    machine.write("app/cpu.max", text);
    CHECK(machine.processors() == processors);
  }
  for (const char* text : {"max 100000\n", "", "nonsense", "100000", "0 0"}) {
    machine.write("app/cpu.max", text);
    CHECK_FALSE(machine.processors());
  }
}

TEST_CASE("the tightest of the groups around a process counts") {
  const Machine machine("0::/slice/app\n");
  machine.write("cpu.max", "max 100000");
  machine.write("slice/cpu.max", "100000 100000");
  machine.write("slice/app/cpu.max", "400000 100000");
  CHECK(machine.processors() == 1);
  // In a container the group's path may lead above what is mounted: the limit stands at the root.
  const Machine container("0::/../../other\n");
  container.write("cpu.max", "300000 100000");
  CHECK(container.processors() == 3);
}

TEST_CASE("control groups of version 1 are read, too") {
  const Machine machine("5:memory:/m\n4:cpu,cpuacct:/app\n0::/\n");
  machine.write("cpu,cpuacct/app/cpu.cfs_quota_us", "250000\n");
  machine.write("cpu,cpuacct/app/cpu.cfs_period_us", "100000\n");
  CHECK(machine.processors() == 3);
  machine.write("cpu,cpuacct/app/cpu.cfs_quota_us", "-1\n");
  CHECK_FALSE(machine.processors());
}

TEST_CASE("a machine without control groups has no quota") {
  const TemporaryFolder folder;
  CHECK_FALSE(quota_processors(folder / "none", folder / "none"));
}

}  // namespace
}  // namespace eddy
