// SPDX-License-Identifier: Apache-2.0
#include "eddy/experiments/tensorboard.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <bit>
#include <cerrno>
#include <chrono>
#include <cstring>

#include "eddy/core/error.h"
#include "eddy/core/file.h"
#include "eddy/core/file_operations.h"

namespace eddy {
namespace {

double now() { return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count(); }

template <class T>
void append_bytes(std::string& out, T value) {
  static_assert(std::endian::native == std::endian::little, "the format is little-endian");
  std::array<char, sizeof(T)> bytes{};
  std::memcpy(bytes.data(), &value, sizeof(T));
  out.append(bytes.data(), bytes.size());
}

/// Base 128, the low digits first, with the high bit on all but the last.
void append_varint(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  out += static_cast<char>(value);
}

/// How the value of a protobuf field is stored.
enum WireType : std::uint32_t { kVarint = 0, kFixed64 = 1, kLengthDelimited = 2, kFixed32 = 5 };

void append_tag(std::string& out, std::uint32_t field, WireType type) { append_varint(out, field << 3 | type); }

void append_text(std::string& out, std::uint32_t field, std::string_view text) {
  append_tag(out, field, kLengthDelimited);
  append_varint(out, text.size());
  out += text;
}

// Fields of tensorflow.Event.
enum EventField : std::uint32_t { kWallTime = 1, kStep = 2, kFileVersion = 3, kSummary = 5, kSessionLog = 7 };

std::string begin_event(double wall_time, std::int64_t step) {
  std::string event;
  append_tag(event, kWallTime, kFixed64);
  append_bytes(event, wall_time);
  append_tag(event, kStep, kVarint);
  append_varint(event, static_cast<std::uint64_t>(step));
  return event;
}

/// A checksum as records hold it, rotated and shifted so that a checksum of checksums stays useful.
std::uint32_t masked_crc32c(std::string_view bytes) {
  const std::uint32_t crc = crc32c(std::as_bytes(std::span(bytes)));
  return std::rotr(crc, 15) + 0xa282ead8u;
}

std::filesystem::path new_file(const std::filesystem::path& folder, double wall_time) {
  std::array<char, 256> host{};
  if (::gethostname(host.data(), host.size() - 1) != 0) host = {'h', 'o', 's', 't'};
  return folder /
         fmt::format("events.out.tfevents.{:010}.{}.{}", static_cast<std::int64_t>(wall_time), host.data(), ::getpid());
}

}  // namespace

std::uint32_t crc32c(std::span<const std::byte> bytes) {
  static const std::array<std::uint32_t, 256> table = [] {
    std::array<std::uint32_t, 256> made{};
    for (std::uint32_t i = 0; i < made.size(); ++i) {
      made[i] = i;
      for (int bit = 0; bit < 8; ++bit) made[i] = made[i] >> 1 ^ ((made[i] & 1) != 0 ? 0x82f63b78u : 0);
    }
    return made;
  }();
  std::uint32_t crc = ~0u;
  for (const std::byte byte : bytes) crc = crc >> 8 ^ table[(crc ^ static_cast<std::uint32_t>(byte)) & 0xff];
  return ~crc;
}

TensorBoardWriter::TensorBoardWriter(WallClock clock, const std::filesystem::path& folder) : clock_(std::move(clock)) {
  make_folder(folder);
  path_ = new_file(folder, clock_());
  descriptor_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (descriptor_ < 0) fail<DataError>("{}: cannot be written: {}", path_.string(), std::strerror(errno));
}

// The object is made when the other constructor is done: the destructor closes the file if one of the writes fails.
TensorBoardWriter::TensorBoardWriter(const std::filesystem::path& folder, std::int64_t resume_step, WallClock clock)
    : TensorBoardWriter(clock ? std::move(clock) : WallClock(now), folder) {
  std::string version = begin_event(clock_(), 0);
  append_text(version, kFileVersion, "brain.Event:2");
  append(version);
  if (resume_step <= 0) return;
  std::string start = begin_event(clock_(), resume_step + 1);
  std::string session;
  append_tag(session, 1, kVarint);  // SessionLog.status
  append_varint(session, 1);        // START
  append_text(start, kSessionLog, session);
  append(start);
}

TensorBoardWriter::~TensorBoardWriter() { ::close(descriptor_); }

void TensorBoardWriter::write(std::int64_t step, const std::vector<Scalar>& scalars) {
  std::string summary;
  for (const auto& [tag, value] : scalars) {
    std::string entry;
    append_text(entry, 1, tag);      // Summary.Value.tag
    append_tag(entry, 2, kFixed32);  // Summary.Value.simple_value
    append_bytes(entry, static_cast<float>(value));
    append_text(summary, 1, entry);  // Summary.value
  }
  std::string event = begin_event(clock_(), step);
  append_text(event, kSummary, summary);
  append(event);
}

void TensorBoardWriter::append(std::string_view event) {
  std::string record;
  append_bytes(record, static_cast<std::uint64_t>(event.size()));
  append_bytes(record, masked_crc32c(record));
  record += event;
  append_bytes(record, masked_crc32c(event));
  append_at_once(descriptor_, record, path_);
}

}  // namespace eddy
