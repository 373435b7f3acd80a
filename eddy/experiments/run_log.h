// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace eddy {

/// A log of JSON lines. Each line is appended by one write, so a crash leaves whole lines. Owns its file descriptor.
/// One thread at a time.
class RunLog {
 public:
  using Field = std::pair<std::string_view, double>;

  /// Where the state that a run goes on from has its last lines; of a new run: nowhere.
  struct End {
    std::int64_t training = 0;
    std::int64_t validation = 0;
  };
  /// Keeps the lines of training and of validation up to those steps, and drops what a lost continuation, or the end of
  /// the run that was stopped, wrote. Throws DataError when the file cannot be written.
  RunLog(const std::filesystem::path& path, const End& end);
  ~RunLog();
  RunLog(const RunLog&) = delete;
  RunLog& operator=(const RunLog&) = delete;

  /// {"step":12,"loss":3.5,…}; numbers that are not finite become null. DataError when the file cannot be written.
  void write(std::int64_t step, const std::vector<Field>& fields);

 private:
  std::filesystem::path path_;
  int descriptor_ = -1;
};

}  // namespace eddy
