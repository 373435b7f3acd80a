// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>

namespace eddy::test {

/// A data set that does not belong to the project: in the folder that the environment variable EDDY_TEST_DATA names,
/// else in shared/data beside a folder above the current one. Without it nothing, and the test says that it is
/// skipped, which scripts/count_tests.py counts.
inline std::optional<std::filesystem::path> real_data(const std::string& name) {
  namespace fs = std::filesystem;
  std::error_code error;
  if (const char* folder = std::getenv("EDDY_TEST_DATA"); folder != nullptr) {
    if (fs::exists(fs::path(folder) / name, error)) return fs::path(folder) / name;
  } else {
    for (fs::path above = fs::current_path(); above.has_relative_path(); above = above.parent_path())
      if (const fs::path found = above.parent_path() / "shared" / "data" / name; fs::exists(found, error)) return found;
  }
  MESSAGE("skipped: there is no ", name, "; EDDY_TEST_DATA names the folder to look in");
  return std::nullopt;
}

}  // namespace eddy::test
