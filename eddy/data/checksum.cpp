// SPDX-License-Identifier: Apache-2.0
#include "eddy/data/checksum.h"

#include <array>
#include <bit>
#include <cstring>

namespace eddy {

namespace {

constexpr std::uint64_t kMultiplier = 0x9E3779B97F4A7C15;

/// One to one in `word` for a fixed lane and in `lane` for a fixed word, so nothing is lost on the way.
std::uint64_t absorb(std::uint64_t lane, std::uint64_t word) { return std::rotl((lane ^ word) * kMultiplier, 29); }

/// The finalizer of a 64-bit mixer (xor-shift and odd multiply, each one to one).
std::uint64_t mix(std::uint64_t value) {
  value = (value ^ (value >> 31)) * 0xBF58476D1CE4E5B9;
  value = (value ^ (value >> 29)) * 0x94D049BB133111EB;
  return value ^ (value >> 32);
}

}  // namespace

std::uint64_t checksum64(std::span<const std::byte> bytes, std::uint64_t seed) {
  // Four lanes, so that the multiplications overlap.
  std::array<std::uint64_t, 4> lanes = {seed + 1, seed + 2, seed + 3, seed + 4};
  std::array<std::uint64_t, 4> words{};
  std::size_t at = 0;
  for (; at + 32 <= bytes.size(); at += 32) {
    std::memcpy(words.data(), bytes.data() + at, 32);
    for (std::size_t i = 0; i < 4; ++i) lanes[i] = absorb(lanes[i], words[i]);
  }
  words = {};
  if (at < bytes.size()) std::memcpy(words.data(), bytes.data() + at, bytes.size() - at);
  std::uint64_t result = mix(bytes.size() + seed);
  for (std::size_t i = 0; i < 4; ++i) result = mix(result ^ absorb(lanes[i], words[i]));
  return result;
}

}  // namespace eddy
