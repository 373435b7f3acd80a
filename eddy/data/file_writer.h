// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <filesystem>
#include <initializer_list>
#include <span>

namespace eddy {

/// Replaces a file whole or not at all: the parts go to a temporary file beside it, which is flushed to disk and then
/// renamed. Throws DataError naming the file and what the system said; the old file then still stands.
void write_file_whole(const std::filesystem::path& path, std::initializer_list<std::span<const std::byte>> parts);

}  // namespace eddy
