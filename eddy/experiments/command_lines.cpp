// SPDX-License-Identifier: Apache-2.0
#include "eddy/experiments/command_lines.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "eddy/core/error.h"
#include "eddy/experiments/command_flags.h"
#include "eddy/experiments/number_text.h"
#include "eddy/experiments/run_data.h"

namespace eddy {

bool LineReader::line_buffered() {
  // What was looked at is not looked at again: a long line comes in many blocks.
  scanned_ = std::min(buffer_.find('\n', std::max(begin_, scanned_)), buffer_.size());
  return scanned_ < buffer_.size();
}

void LineReader::fill() {
  buffer_.erase(0, begin_);
  scanned_ -= begin_;
  begin_ = 0;
  const std::string_view block = blocks_.next();
  if (!begun_) {
    require<DataError>(!looks_like_archive(block), "{}: is an archive; expected one text a line", name_);
    require_byte_text(block, name_);
  }
  begun_ = true;
  ended_ = block.empty();
  buffer_ += block;
}

std::string LineReader::decoded(std::string_view line) {
  if (encoding_ == TextEncoding::latin1 && !is_ascii(line) && find_invalid_utf8(line) == std::string_view::npos)
    ++also_utf8_;
  std::string text;
  ill_formed_ += static_cast<std::int64_t>(append_repaired_utf8(decoder_.decode(line), text));
  return text;
}

std::optional<std::string> LineReader::next() {
  while (!ended_ && !line_buffered()) fill();
  if (ended_) line_buffered();
  if (begin_ == buffer_.size()) {
    report();
    return std::nullopt;
  }
  std::string line = decoded(std::string_view(buffer_).substr(begin_, scanned_ - begin_));
  begin_ = scanned_ = std::min(scanned_ + 1, buffer_.size());
  return line;
}

bool LineReader::would_wait() {
  while (!ended_ && !line_buffered()) {
    if (blocks_.would_wait()) return true;
    fill();
  }
  return false;
}

void LineReader::report() {
  if (ill_formed_ > 0)
    fmt::print(stderr, "{}: {} ill-formed UTF-8 sequence{} became U+FFFD; is the text in another encoding?\n", name_,
               grouped(ill_formed_), ill_formed_ == 1 ? "" : "s");
  if (also_utf8_ > 0)
    fmt::print(stderr, "{}: {} line{} read as Latin-1 would be UTF-8, too; --encoding utf8 reads {} so\n", name_,
               grouped(also_utf8_), also_utf8_ == 1 ? "" : "s", also_utf8_ == 1 ? "it" : "them");
  ill_formed_ = also_utf8_ = 0;
}

void add_encoding_flag(CLI::App& app, std::optional<TextEncoding>& encoding) {
  const auto set = [&encoding](TextEncoding given) { encoding = given; };
  add_choice(app, "--encoding", TextEncoding::utf8, set, "Encoding of the texts")->default_str("as in the training");
}

void read_inputs(const std::vector<std::string>& files, TextEncoding encoding,
                 const std::function<void(LineReader)>& read) {
  const auto standard_input = [&] { read(LineReader(STDIN_FILENO, "standard input", encoding)); };
  if (files.empty()) return standard_input();
  for (const std::string& file : files) {
    if (file == "-") {
      standard_input();
      continue;
    }
    const int descriptor = open(file.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) fail<DataError>("{}: cannot be opened: {}", file, std::strerror(errno));
    const std::unique_ptr<const int, void (*)(const int*)> closer(&descriptor, [](const int* d) { close(*d); });
    read(LineReader(descriptor, file, encoding));
  }
}

}  // namespace eddy
