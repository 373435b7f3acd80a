// SPDX-License-Identifier: Apache-2.0
#include "eddy/data/checksum.h"

#include <algorithm>
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

Checksum64::Checksum64(std::uint64_t seed) : seed_(seed), lanes_{seed + 1, seed + 2, seed + 3, seed + 4} {}

void Checksum64::add(std::span<const std::byte> bytes) {
  const auto step = [this](const std::byte* from) {
    std::array<std::uint64_t, 4> words{};
    std::memcpy(words.data(), from, 32);
    for (std::size_t i = 0; i < 4; ++i) lanes_[i] = absorb(lanes_[i], words[i]);
  };
  const std::size_t held = size_ % rest_.size();
  size_ += bytes.size();
  if (held > 0) {
    const std::size_t taken = std::min(bytes.size(), rest_.size() - held);
    std::copy_n(bytes.begin(), taken, rest_.begin() + static_cast<std::ptrdiff_t>(held));
    bytes = bytes.subspan(taken);
    if (held + taken < rest_.size()) return;
    step(rest_.data());
  }
  for (; bytes.size() >= rest_.size(); bytes = bytes.subspan(rest_.size())) step(bytes.data());
  std::ranges::copy(bytes, rest_.begin());
}

std::uint64_t Checksum64::value() const {
  std::array<std::uint64_t, 4> words{};
  std::memcpy(words.data(), rest_.data(), size_ % rest_.size());
  std::uint64_t result = mix(size_ + seed_);
  for (std::size_t i = 0; i < 4; ++i) result = mix(result ^ absorb(lanes_[i], words[i]));
  return result;
}

std::uint64_t checksum64(std::span<const std::byte> bytes, std::uint64_t seed) {
  Checksum64 checksum(seed);
  checksum.add(bytes);
  return checksum.value();
}

}  // namespace eddy
