// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string_view>

#include "eddy/data/text_lines.h"

namespace eddy {

/// A document and where it stands, "file:line". Both views live until the call returns.
using LineVisitor = std::function<void(std::string_view text, std::string_view id)>;

/// Calls `visit` on each document of read_text_lines(path), in the same order, with no more than a line and a block of
/// the file in memory; `utf8_or_latin1` is decided for each line. A directory stands for all files in it, in the order
/// of their names. Returns the lines read, blank ones included. DataError when a file cannot be read or a line is
/// longer than a gigabyte. No state: safe to call concurrently. What `visit` throws passes through.
std::int64_t for_each_line(const std::filesystem::path& path, const TextLinesOptions& options,
                           const LineVisitor& visit);

}  // namespace eddy
