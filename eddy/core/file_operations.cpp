// SPDX-License-Identifier: Apache-2.0
#include "eddy/core/file_operations.h"

#include <algorithm>
#include <string_view>
#include <system_error>

#include "eddy/core/error.h"

namespace eddy {
namespace {

namespace fs = std::filesystem;

void require_done(const std::error_code& error, const fs::path& path, std::string_view problem) {
  if (error) fail<DataError>("{}: {}: {}", path.string(), problem, error.message());
}

}  // namespace

bool path_exists(const fs::path& path) {
  std::error_code error;
  const bool there = fs::exists(path, error);
  require_done(error, path, "cannot be examined");
  return there;
}

void make_folder(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  require_done(error, folder, "cannot be made");
}

void remove_file(const fs::path& path) {
  std::error_code error;
  fs::remove(path, error);
  require_done(error, path, "cannot be removed");
}

void move_path(const fs::path& from, const fs::path& to) {
  if (to.has_parent_path()) make_folder(to.parent_path());
  std::error_code error;
  // A folder is not renamed onto one that holds something.
  if (fs::is_directory(fs::symlink_status(to, error))) {
    fs::remove_all(to, error);
    require_done(error, to, "cannot be removed");
  }
  fs::rename(from, to, error);
  if (error) fail<DataError>("{}: cannot be moved to {}: {}", from.string(), to.string(), error.message());
}

std::vector<fs::path> paths_in(const fs::path& folder) {
  std::vector<fs::path> paths;
  if (!path_exists(folder)) return paths;
  std::error_code error;
  fs::directory_iterator entry(folder, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) paths.push_back(entry->path());
  require_done(error, folder, "cannot be listed");
  std::ranges::sort(paths);
  return paths;
}

}  // namespace eddy
