// SPDX-License-Identifier: Apache-2.0
#include "eddy/data/text_lines.h"

#include <string>
#include <string_view>
#include <utility>

#include "eddy/core/error.h"
#include "eddy/core/number_text.h"
#include "eddy/data/line_cursor.h"
#include "eddy/data/source.h"

namespace eddy {

Dataset read_text_lines(const std::filesystem::path& path, const TextLinesOptions& options) {
  return parse_text_lines(read_text_file(path), path.string(), options);
}

Dataset parse_text_lines(std::string contents, const std::string& name, const TextLinesOptions& options) {
  require_byte_text(contents, name);
  require_line_feeds(contents, name);
  contents = decode_text(std::move(contents), options.encoding, name);
  const std::string file = std::filesystem::path(name).filename().string();
  Dataset data;
  LineCursor lines(contents);
  while (lines.next()) {
    const std::string_view line = lines.line();
    if (options.skip_blank && line.find_first_not_of(" \t\v\f\r") == std::string_view::npos) continue;
    data.documents.push_back({std::string(line), options.label, fmt::format("{}:{}", file, lines.number())});
  }
  require<DataError>(!data.documents.empty(), "{}: holds no document in {}", name, counted(lines.number(), "line"));
  return data;
}

}  // namespace eddy
