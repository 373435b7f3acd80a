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
class RunLog {
 public:
  using Field = std::pair<std::string_view, double>;

  /// Starts the file anew, or, when going on after `resume_step` steps, keeps its lines up to that step and drops what
  /// a lost continuation wrote. Throws DataError when it cannot be written.
  RunLog(const std::filesystem::path& path, std::int64_t resume_step);
  ~RunLog();
  RunLog(const RunLog&) = delete;
  RunLog& operator=(const RunLog&) = delete;

  /// {"step":12,"loss":3.5,…}; numbers that are not finite become null.
  void write(std::int64_t step, const std::vector<Field>& fields);

 private:
  std::filesystem::path path_;
  int descriptor_ = -1;
};

}  // namespace eddy
