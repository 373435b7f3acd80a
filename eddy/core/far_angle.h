// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal: part of kernels.

#include <bit>
#include <cstdint>
#include <limits>

namespace eddy {

/// An angle as quarter turns and a rest: angle = count * pi/2 + rest up to whole turns, |rest| <= pi/4.
struct QuarterTurns {
  float rest;
  std::int32_t count;  ///< 0 to 3
};

/// Of any angle from 2^-7 to infinity (NaN), good to the last digit: the mantissa times those 96 bits of 2/pi that
/// decide about quarter turns below four and the rest. No f32 comes closer than 2^-30 to a multiple of pi/2.
inline QuarterTurns far_angle(float angle) {
  // The point stands after the first word.
  static constexpr std::uint32_t kTwoOverPi[8] = {0,          0xA2F9836E, 0x4E441529, 0xFC2757D1,
                                                  0xF534DDC0, 0xDB629599, 0x3C439041, 0xFE5163AB};
  const auto bits = std::bit_cast<std::uint32_t>(angle);
  const std::uint32_t exponent = bits >> 23;
  if (exponent >= 255) return {std::numeric_limits<float>::quiet_NaN(), 0};
  const std::uint64_t mantissa = (bits & 0x7FFFFF) | 0x800000;
  const std::uint32_t first = exponent - 120, shift = first % 32;
  const std::uint32_t* words = kTwoOverPi + first / 32;
  std::uint64_t high = std::uint64_t{words[0]} << 32 | words[1], low = std::uint64_t{words[2]} << 32 | words[3];
  if (shift > 0) {
    high = high << shift | low >> (64 - shift);
    low <<= shift;
  }
  // Quarter turns in units of 2^-62; what overflows are whole turns.
  const std::uint64_t turns = mantissa * high + (mantissa * (low >> 32) >> 32);
  const std::uint64_t count = (turns + (std::uint64_t{1} << 61)) >> 62;
  const auto rest = static_cast<double>(static_cast<std::int64_t>(turns - (count << 62)));
  return {static_cast<float>(rest * (1.5707963267948966 / 4611686018427387904.0)),
          static_cast<std::int32_t>(count % 4)};
}

}  // namespace eddy
