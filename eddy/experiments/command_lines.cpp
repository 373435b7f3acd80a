// SPDX-License-Identifier: Apache-2.0
#include "eddy/experiments/command_lines.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>

#include "eddy/core/error.h"
#include "eddy/core/number_text.h"
#include "eddy/experiments/command_flags.h"
#include "eddy/experiments/progress.h"
#include "eddy/experiments/run_data.h"

namespace eddy {
namespace {

/// Lines of what one reads from now on.
std::int64_t count_lines(BlockReader blocks) {
  std::int64_t lines = 0;
  bool complete = true;
  for (std::string_view block; !(block = blocks.next()).empty(); complete = block.back() == '\n')
    lines += std::ranges::count(block, '\n');
  return lines + (complete ? 0 : 1);
}

/// Lines of the standard input where that is a file, which is then read as if it had not been.
std::optional<std::int64_t> count_standard_input() {
  struct stat status {};
  const off_t begin = lseek(STDIN_FILENO, 0, SEEK_CUR);
  if (begin < 0 || fstat(STDIN_FILENO, &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
  std::optional<std::int64_t> lines;
  try {
    lines = count_lines(BlockReader(STDIN_FILENO, "standard input"));
  } catch (const Error&) {
    // It is the error of the reading to come.
  }
  require<DataError>(lseek(STDIN_FILENO, begin, SEEK_SET) == begin, "standard input: cannot be read again");
  return lines;
}

/// Lines of all inputs; nothing unless each is a file. What cannot be read is the error of the reading to come.
std::optional<std::int64_t> count_lines(const std::vector<std::string>& files) try {
  if (files.empty()) return count_standard_input();
  std::int64_t lines = 0;
  for (const std::string& file : files) {
    std::error_code error;
    if (!std::filesystem::is_regular_file(file, error)) return std::nullopt;
    lines += count_lines(BlockReader(std::filesystem::path(file)));
  }
  return lines;
} catch (const DataError&) {
  return std::nullopt;
}

}  // namespace

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
  const std::string_view bytes = std::string_view(buffer_).substr(begin_, scanned_ - begin_);
  if (decoder_.lines() == 0 && scanned_ == buffer_.size()) require_line_feeds(bytes, name_);
  std::string line = decoded(bytes);
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
    say_(fmt::format("{}: {} became U+FFFD; is the text in another encoding?", name_,
                     counted(ill_formed_, "ill-formed UTF-8 sequence")));
  if (also_utf8_ > 0)
    say_(fmt::format("{}: {} read as Latin-1 would be UTF-8, too; --encoding utf8 reads {} so", name_,
                     counted(also_utf8_, "line"), also_utf8_ == 1 ? "it" : "them"));
  ill_formed_ = also_utf8_ = 0;
}

void add_encoding_flag(CLI::App& app, std::optional<TextEncoding>& encoding) {
  const auto set = [&encoding](TextEncoding given) { encoding = given; };
  add_choice(app, "--encoding", TextEncoding::utf8, set, "Encoding of the texts")->default_str("as in the training");
}

void answer_lines(const LineInputs& inputs, const std::function<void(const std::vector<std::string>&)>& answer) {
  // Answers on the terminal are progress enough.
  const std::optional<std::int64_t> total = isatty(STDOUT_FILENO) != 0 ? std::nullopt : count_lines(inputs.files);
  ProgressOptions options = total ? pass_progress(inputs.label) : no_progress();
  options.total = total.value_or(0);
  options.unit = "texts";
  Progress progress(std::move(options));
  const auto say = [&](const std::string& text) {
    if (total) return progress.message(text);
    show_text(stderr, text + "\n");
  };
  const auto read = [&](int descriptor, const std::string& name) {
    LineReader lines(descriptor, name, inputs.encoding, say);
    std::vector<std::string> texts;
    const auto give = [&] {
      answer(texts);
      progress.count(std::ssize(texts), static_cast<double>(texts.size()));
      texts.clear();
    };
    while (auto line = lines.next()) {
      texts.push_back(std::move(*line));
      if (texts.size() >= inputs.most || lines.would_wait()) give();
    }
    if (!texts.empty()) give();
  };
  const auto standard_input = [&] { read(STDIN_FILENO, "standard input"); };
  if (inputs.files.empty()) return standard_input();
  for (const std::string& file : inputs.files) {
    if (file == "-") {
      standard_input();
      continue;
    }
    const int descriptor = open(file.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) fail<DataError>("{}: cannot be opened: {}", file, std::strerror(errno));
    const std::unique_ptr<const int, void (*)(const int*)> closer(&descriptor, [](const int* d) { close(*d); });
    read(descriptor, file);
  }
}

}  // namespace eddy
