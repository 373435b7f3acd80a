// SPDX-License-Identifier: Apache-2.0
#include "eddy/data/line_stream.h"

#include <algorithm>
#include <string>
#include <utility>

#include "eddy/core/error.h"
#include "eddy/data/source.h"

namespace eddy {
namespace {

constexpr std::size_t kLongestLine = std::size_t{1} << 30;

/// Cuts the blocks of one file into lines.
class LineCutter {
 public:
  LineCutter(std::string file, std::string name, const TextLinesOptions& options, const LineVisitor& visit)
      : file_(std::move(file)),
        name_(std::move(name)),
        options_(options),
        decoder_(options.encoding, file_),
        visit_(visit) {}

  void block(std::string_view bytes) {
    if (!std::exchange(begun_, true)) {
      require<DataError>(!looks_like_archive(bytes), "{}: is an archive; expected a text file", file_);
      require_byte_text(bytes, file_);
    }
    while (!bytes.empty()) {
      const std::size_t end = bytes.find('\n');
      const std::string_view part = bytes.substr(0, end);
      require<DataError>(rest_.size() + part.size() <= kLongestLine, "{}:{}: is longer than {} bytes", file_,
                         decoder_.lines() + 1, kLongestLine);
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
    if (decoder_.lines() == 0) require_line_feeds(rest_, file_);
    if (!rest_.empty()) line(rest_);
    return decoder_.lines();
  }

 private:
  void line(std::string_view bytes) {
    const std::string_view text = decoder_.decode(bytes);
    if (options_.skip_blank && text.find_first_not_of(" \t\v\f\r") == std::string_view::npos) return;
    visit_(text, fmt::format("{}:{}", name_, decoder_.lines()));
  }

  std::string file_;  ///< in errors
  std::string name_;  ///< in ids
  const TextLinesOptions& options_;
  LineDecoder decoder_;
  const LineVisitor& visit_;
  std::string rest_;  ///< of a line that the blocks so far do not end
  bool begun_ = false;
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
