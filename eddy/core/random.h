// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

namespace eddy {

/// One block of Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3", section 4.3):
/// 128 random bits that depend on nothing but the counter and the key, so that any position can be replayed.
constexpr std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                                  std::array<std::uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t a = std::uint64_t{0xD2511F53} * counter[0];
    const std::uint64_t b = std::uint64_t{0xCD9E8D57} * counter[2];
    counter = {static_cast<std::uint32_t>(b >> 32) ^ counter[1] ^ key[0], static_cast<std::uint32_t>(b),
               static_cast<std::uint32_t>(a >> 32) ^ counter[3] ^ key[1], static_cast<std::uint32_t>(a)};
    key[0] += 0x9E3779B9;
    key[1] += 0xBB67AE85;
  }
  return counter;
}

/// A float in [0, 1) from the top 24 bits.
constexpr float unit_float(std::uint32_t bits) { return static_cast<float>(bits >> 8) * 0x1p-24f; }

/// A sequential generator over Philox blocks; streams of one seed are independent. A plain value, not thread-safe.
class Philox {
 public:
  using result_type = std::uint32_t;

  explicit Philox(std::uint64_t seed, std::uint64_t stream = 0) : seed_(seed), stream_(stream) {}

  static constexpr result_type min() { return 0; }
  static constexpr result_type max() { return 0xFFFFFFFFu; }
  result_type operator()();

 private:
  std::uint64_t seed_, stream_, block_index_ = 0;
  std::array<std::uint32_t, 4> block_{};
  int used_ = 4;
};

/// Unbiased integer in [0, n); n must be positive.
std::uint64_t uniform_index(Philox& random, std::uint64_t n);
/// Uniform in [low, high]; `high` itself only by rounding.
float uniform_float(Philox& random, float low, float high);
/// Standard normal (Box-Muller). Takes two numbers of the generator.
float normal_float(Philox& random);

/// Fisher-Yates; the same order on every platform for one seed.
template <class T>
void shuffle(std::span<T> values, Philox& random) {
  for (std::size_t i = values.size(); i > 1; --i) std::swap(values[i - 1], values[uniform_index(random, i)]);
}

/// A stable 64-bit hash of bytes (FNV-1a), to derive streams from names.
constexpr std::uint64_t stable_hash(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325ull;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ull;
  return hash;
}

}  // namespace eddy
