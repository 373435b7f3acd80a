// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

namespace eddy {

/// Lines of a file descriptor that tells whether the next one is there already: a batch is worth waiting for while the
/// input flows, an answer is due when it pauses. Does not own the descriptor.
class LineReader {
 public:
  LineReader(int descriptor, std::string name) : descriptor_(descriptor), name_(std::move(name)) {}

  /// The next line without its end, or nothing at the end of the input; waits for it. Throws DataError.
  std::optional<std::string> next();
  /// Whether next() would have to wait.
  bool would_wait();

 private:
  bool line_buffered() const { return buffer_.find('\n', begin_) != std::string::npos; }
  void fill();

  int descriptor_;
  std::string name_;
  std::string buffer_;
  std::size_t begin_ = 0;
  bool ended_ = false;
};

}  // namespace eddy
