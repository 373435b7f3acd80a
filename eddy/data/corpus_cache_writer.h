// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal: part of caches.

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "eddy/core/file.h"
#include "eddy/data/checksum.h"

/// How cache files are written; internal to the data room. The format is described in corpus_cache.cpp.
namespace eddy {

/// Sees the payload of a cache go by: once to add it up for the header, once to write it.
class PayloadWriter {
 public:
  explicit PayloadWriter(AtomicFile* file) : file_(file) {}

  template <class T>
  void array(std::span<const T> values) {
    number(static_cast<std::int64_t>(values.size()));
    append(std::as_bytes(values));
    pad();
  }
  void text(std::string_view text) { array(std::span(text.data(), text.size())); }
  void number(std::int64_t value) { append(std::as_bytes(std::span(&value, 1))); }
  /// An array of elements of `width` bytes that lies on disk.
  void spilled(SpillFile& values, std::size_t width) {
    number(static_cast<std::int64_t>(values.size() / width));
    values.for_each_block([this](std::span<const std::byte> block) { append(block); });
    pad();
  }
  std::uint64_t size() const { return size_; }
  std::uint64_t checksum() const { return checksum_.value(); }

 private:
  void pad() {
    constexpr std::array<std::byte, 8> zeros{};
    append(std::span(zeros).first((8 - size_ % 8) % 8));
  }
  void append(std::span<const std::byte> bytes) {
    size_ += bytes.size();
    checksum_.add(bytes);
    if (file_ != nullptr) file_->write(bytes);
  }

  AtomicFile* file_;  // none: only adds up
  std::uint64_t size_ = 0;
  Checksum64 checksum_;
};

/// Strings as one text and where each ends.
void write_strings(PayloadWriter& writer, std::span<const std::string> strings);

/// Writes a cache, whole or not at all. `fill` is called twice and must write the same both times.
void write_cache(const std::filesystem::path& path, std::uint64_t key, const std::function<void(PayloadWriter&)>& fill);

}  // namespace eddy
