// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace eddy {

/// CRC-32C (Castagnoli; RFC 3720, appendix B.4) of bytes.
std::uint32_t crc32c(std::span<const std::byte> bytes);

/// Scalars in the event files that TensorBoard reads: records of length, checksum, protobuf message and checksum
/// (tensorflow/core/lib/io/record_writer.h, core/util/event.proto). Each call appends its record by one write, so that
/// a crash leaves whole records. Owns its file descriptor; one thread at a time.
class TensorBoardWriter {
 public:
  using Scalar = std::pair<std::string_view, double>;
  /// Seconds since 1970.
  using WallClock = std::function<double()>;

  /// Begins a new event file in `folder`, which is made where needed. With `resume_step` above 0 it tells TensorBoard
  /// to forget what earlier files of the folder say of later steps. DataError when the file cannot be written.
  explicit TensorBoardWriter(const std::filesystem::path& folder, std::int64_t resume_step = 0, WallClock clock = {});
  ~TensorBoardWriter();
  TensorBoardWriter(const TensorBoardWriter&) = delete;
  TensorBoardWriter& operator=(const TensorBoardWriter&) = delete;

  /// Tags such as "train/loss" with their values at `step`, in one event. DataError when the file cannot be written.
  void write(std::int64_t step, const std::vector<Scalar>& scalars);
  const std::filesystem::path& path() const { return path_; }

 private:
  TensorBoardWriter(WallClock clock, const std::filesystem::path& folder);
  void append(std::string_view event);

  WallClock clock_;
  std::filesystem::path path_;
  int descriptor_ = -1;
};

}  // namespace eddy
