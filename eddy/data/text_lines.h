// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>

#include "eddy/data/document.h"
#include "eddy/data/unicode.h"

/// Readers keep no state: safe to call concurrently.
namespace eddy {

struct TextLinesOptions {
  TextEncoding encoding = TextEncoding::utf8;
  /// Lines of white space only make no document.
  bool skip_blank = true;
  /// Label of every document; >= 0 when the file holds one class.
  int label = -1;
};

/// One document per line of a text file (plain or compressed); ids are "file:line". LF and CRLF both end a line.
/// Throws DataError when the file cannot be read or holds no document.
Dataset read_text_lines(const std::filesystem::path& path, const TextLinesOptions& options = {});

/// The same for contents that were read already; `name` stands in errors, what follows its last '/' in ids.
Dataset parse_text_lines(std::string contents, const std::string& name, const TextLinesOptions& options = {});

}  // namespace eddy
