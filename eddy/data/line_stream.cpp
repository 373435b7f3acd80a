// SPDX-License-Identifier: Apache-2.0
#include "eddy/data/line_stream.h"

#include <algorithm>
#include <string>

#include "eddy/core/error.h"
#include "eddy/data/source.h"

namespace eddy {
namespace {

constexpr std::size_t kLongestLine = std::size_t{1} << 30;

/// Cuts the blocks of one file into lines.
class LineCutter {
 public:
  LineCutter(std::string file, std::string name, const TextLinesOptions& options, const LineVisitor& visit)
      : file_(std::move(file)), name_(std::move(name)), options_(options), visit_(visit) {}

  void block(std::string_view bytes) {
    while (!bytes.empty()) {
      const std::size_t end = bytes.find('\n');
      const std::string_view part = bytes.substr(0, end);
      require<DataError>(rest_.size() + part.size() <= kLongestLine, "{}:{}: is longer than {} bytes", file_,
                         number_ + 1, kLongestLine);
      if (end == std::string_view::npos) {
        rest_ += part;
        return;
      }
      if (rest_.empty()) {
        line(part);
      } else {
        rest_ += part;
        line(rest_);
        rest_.clear();
      }
      bytes.remove_prefix(end + 1);
    }
  }
  /// The last line may have no end. Returns the number of lines.
  std::int64_t finish() {
    if (!rest_.empty()) line(rest_);
    return number_;
  }

 private:
  void line(std::string_view text) {
    ++number_;
    if (number_ == 1 && options_.encoding != TextEncoding::latin1 && text.starts_with("\xEF\xBB\xBF"))
      text.remove_prefix(3);
    if (text.ends_with('\r')) text.remove_suffix(1);
    if (options_.skip_blank && text.find_first_not_of(" \t\v\f\r") == std::string_view::npos) return;
    const std::string id = fmt::format("{}:{}", name_, number_);
    if (options_.encoding == TextEncoding::latin1 && !is_ascii(text)) return visit_(latin1_to_utf8(text), id);
    if (options_.encoding == TextEncoding::utf8_strict) {
      const std::size_t bad = find_invalid_utf8(text);
      require<DataError>(bad == std::string_view::npos, "{}:{}: a byte at offset {} of the line is not UTF-8", file_,
                         number_, bad);
    }
    visit_(text, id);
  }

  std::string file_;  ///< in errors
  std::string name_;  ///< in ids
  const TextLinesOptions& options_;
  const LineVisitor& visit_;
  std::string rest_;  ///< of a line that the blocks so far do not end
  std::int64_t number_ = 0;
};

}  // namespace

std::int64_t for_each_line(const std::filesystem::path& path, const TextLinesOptions& options,
                           const LineVisitor& visit) {
  const auto read = [&](const std::filesystem::path& file, std::string name) {
    LineCutter cutter(file.string(), std::move(name), options, visit);
    read_text_blocks(file, [&](std::string_view block) { cutter.block(block); });
    return cutter.finish();
  };
  std::error_code error;
  if (!std::filesystem::is_directory(path, error)) return read(path, path.filename().string());
  std::int64_t lines = 0;
  for (const SourceFile& file : list_files(path)) lines += read(path / file.name, file.name);
  return lines;
}

}  // namespace eddy
