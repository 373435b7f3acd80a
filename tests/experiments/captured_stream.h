// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string>

#include "eddy/experiments/progress.h"

namespace eddy {

/// A stream whose text can be read.
class CapturedStream {
 public:
  CapturedStream() : file_(::open_memstream(&text_, &size_)) {}
  ~CapturedStream() {
    std::fclose(file_);
    std::free(text_);
  }
  CapturedStream(const CapturedStream&) = delete;
  CapturedStream& operator=(const CapturedStream&) = delete;

  std::FILE* file() { return file_; }
  std::string text() {
    std::fflush(file_);
    return {text_, size_};
  }
  /// Progress of a pass that seems to take long: every look at its clock is a minute later.
  ProgressOptions slow_pass() {
    ProgressOptions options = pass_progress("pass", ProgressStyle::lines);
    options.out = file_;
    options.clock = [this] { return now_ += 60; };
    return options;
  }

 private:
  char* text_ = nullptr;
  std::size_t size_ = 0;
  std::FILE* file_;
  double now_ = 0;
};

}  // namespace eddy
