// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal: part of what writes files.

#include <filesystem>
#include <vector>

/// Operations of std::filesystem on what lies at a path. What fails is a DataError naming the path and what the system
/// said. May be called concurrently on different paths.
namespace eddy {

/// Of a symbolic link, whether what it leads to is there.
bool path_exists(const std::filesystem::path& path);
/// With the folders above it; nothing to do when it is there.
void make_folder(const std::filesystem::path& folder);
/// A link itself, not what it leads to; nothing to do when it is not there. A folder that holds something stays.
void remove_file(const std::filesystem::path& path);
/// In place of what is at `to`, whose folder is made where needed.
void move_path(const std::filesystem::path& from, const std::filesystem::path& to);
/// What a folder holds, in order; nothing when it is not there.
std::vector<std::filesystem::path> paths_in(const std::filesystem::path& folder);

}  // namespace eddy
