// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal: part of ops.

#include <array>
#include <cmath>
#include <cstdint>

#include "eddy/core/random.h"

namespace eddy {

/// What identifies the random numbers of one op in one run. Number e is word e % 4 of the Philox block with counter
/// {e / 4, stream, step low, step high} and key {seed low, seed high}: any of them can be had again, in any order.
struct RandomSource {
  std::array<std::uint32_t, 2> seed{};
  std::array<std::uint32_t, 2> step{};
  std::uint32_t stream = 0;

  /// From the value of random_key(): i32[4] = {seed low, seed high, step low, step high}.
  static RandomSource from_key(const std::int32_t* key, std::uint32_t stream) {
    return {{static_cast<std::uint32_t>(key[0]), static_cast<std::uint32_t>(key[1])},
            {static_cast<std::uint32_t>(key[2]), static_cast<std::uint32_t>(key[3])},
            stream};
  }
  std::array<std::uint32_t, 4> block(std::uint32_t index) const {
    return philox4x32({index, stream, step[0], step[1]}, seed);
  }
};

/// A RandomSource has this many different numbers.
inline constexpr std::int64_t kRandomNumbers = std::int64_t{1} << 34;

/// Numbers below `threshold` drop an element, others multiply it by `kept`.
struct DropoutRate {
  std::uint32_t threshold;
  float kept;

  /// Of [0, 1).
  explicit DropoutRate(float rate)
      : threshold(static_cast<std::uint32_t>(std::lround(static_cast<double>(rate) * 0x1p32))), kept(1 / (1 - rate)) {}
};

/// out[i] = the multiplier of number first + i: `kept` or 0; vectorised and serial, as those below.
void random_multipliers(const RandomSource& source, std::int64_t first, const DropoutRate& rate, float* out,
                        std::int64_t n);
/// out[i] = x[i] times the multiplier of number first + i; out may be x.
void random_drop(const RandomSource& source, std::int64_t first, const DropoutRate& rate, const float* x, float* out,
                 std::int64_t n);
/// out[i] = number first + i as a float in [low, high); in [low, high] when the two are equal.
void random_floats(const RandomSource& source, std::int64_t first, float low, float high, float* out, std::int64_t n);

}  // namespace eddy
