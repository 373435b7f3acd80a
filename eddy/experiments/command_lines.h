// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "eddy/data/source.h"
#include "eddy/data/unicode.h"

namespace eddy {

/// Lines of a file descriptor that tells whether the next one is there already: a batch is worth waiting for while the
/// input flows, an answer is due when it pauses. Does not own the descriptor. The lines are UTF-8 whatever the input
/// is: a byte-order mark is dropped, compressed input is unpacked, an ill-formed sequence becomes U+FFFD; UTF-16 is
/// refused. When the input ends, what was odd about it is given to `say`. One thread at a time.
class LineReader {
 public:
  LineReader(int descriptor, std::string name, TextEncoding encoding, std::function<void(std::string)> say)
      : blocks_(descriptor, name),
        decoder_(encoding, name),
        encoding_(encoding),
        name_(std::move(name)),
        say_(std::move(say)) {}

  /// The next line without its end, or nothing at the end of the input; waits for it. Throws DataError.
  std::optional<std::string> next();
  /// Whether next() would have to wait.
  bool would_wait();

 private:
  bool line_buffered();
  void fill();
  std::string decoded(std::string_view line);
  void report();

  BlockReader blocks_;
  LineDecoder decoder_;
  TextEncoding encoding_;
  std::string name_;
  std::function<void(std::string)> say_;
  std::string buffer_;
  std::size_t begin_ = 0;    ///< of the next line
  std::size_t scanned_ = 0;  ///< no line ends between begin_ and here
  bool begun_ = false, ended_ = false;
  std::int64_t ill_formed_ = 0;  ///< sequences
  std::int64_t also_utf8_ = 0;   ///< lines converted from Latin-1 that are UTF-8, too
};

/// --encoding for texts that are otherwise read as in the training. `encoding` must outlive the app's parsing.
void add_encoding_flag(CLI::App& app, std::optional<TextEncoding>& encoding);

struct LineInputs {
  std::vector<std::string> files;  ///< "-" and none: the standard input
  TextEncoding encoding = TextEncoding::utf8;
  std::size_t most = 1;  ///< lines answered at once
  std::string label;     ///< of the progress
};
/// Calls `answer` on the lines of all inputs in order, as soon as there are `most` or the input pauses. Shows progress
/// where that is of use: all inputs are files, and the answers do not appear on the terminal themselves. Throws
/// DataError for an input that cannot be read.
void answer_lines(const LineInputs& inputs, const std::function<void(const std::vector<std::string>&)>& answer);

}  // namespace eddy
