// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal: part of caches.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace eddy {

/// The checksum of bytes that come piece by piece: that of all pieces joined. A plain value.
class Checksum64 {
 public:
  explicit Checksum64(std::uint64_t seed = 0);
  void add(std::span<const std::byte> bytes);
  std::uint64_t value() const;

 private:
  std::uint64_t seed_;
  std::uint64_t size_ = 0;
  // Four lanes, so that the multiplications overlap.
  std::array<std::uint64_t, 4> lanes_;
  std::array<std::byte, 32> rest_{};  // the last bytes, fewer than a step takes
};

/// A 64-bit checksum that runs at memory speed. Every change within one 8-byte word changes it; other changes escape
/// with a chance of about 2^-64. Not against forgery. The same on every little-endian machine.
std::uint64_t checksum64(std::span<const std::byte> bytes, std::uint64_t seed = 0);

}  // namespace eddy
