// SPDX-License-Identifier: Apache-2.0
#include "eddy/experiments/command_lines.h"

#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "eddy/core/error.h"

namespace eddy {

void LineReader::fill() {
  buffer_.erase(0, begin_);
  begin_ = 0;
  std::array<char, 65536> block{};
  ssize_t count = 0;
  do {
    count = read(descriptor_, block.data(), block.size());
  } while (count < 0 && errno == EINTR);
  if (count < 0) fail<DataError>("{}: cannot be read: {}", name_, std::strerror(errno));
  if (count == 0) ended_ = true;
  buffer_.append(block.data(), static_cast<std::size_t>(count));
}

std::optional<std::string> LineReader::next() {
  while (!ended_ && !line_buffered()) fill();
  if (begin_ == buffer_.size()) return std::nullopt;
  const std::size_t end = std::min(buffer_.find('\n', begin_), buffer_.size());
  std::string line = buffer_.substr(begin_, end - begin_);
  begin_ = std::min(end + 1, buffer_.size());
  if (line.ends_with('\r')) line.pop_back();
  return line;
}

bool LineReader::would_wait() {
  while (!ended_ && !line_buffered()) {
    pollfd request{descriptor_, POLLIN, 0};
    if (poll(&request, 1, 0) == 0) return true;
    fill();
  }
  return false;
}

}  // namespace eddy
