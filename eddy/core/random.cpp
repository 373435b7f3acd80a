// SPDX-License-Identifier: Apache-2.0
#include "eddy/core/random.h"

#include <cmath>
#include <numbers>

namespace eddy {

Philox::result_type Philox::operator()() {
  if (used_ == 4) {
    block_ = philox4x32({static_cast<std::uint32_t>(block_index_), static_cast<std::uint32_t>(block_index_ >> 32),
                         static_cast<std::uint32_t>(stream_), static_cast<std::uint32_t>(stream_ >> 32)},
                        {static_cast<std::uint32_t>(seed_), static_cast<std::uint32_t>(seed_ >> 32)});
    ++block_index_;
    used_ = 0;
  }
  return block_[static_cast<std::size_t>(used_++)];
}

std::uint64_t uniform_index(Philox& random, std::uint64_t n) {
  // Values below 2^64 mod n would favour small results and are drawn again.
  const std::uint64_t threshold = (0 - n) % n;
  for (;;) {
    const std::uint64_t high = random();
    const std::uint64_t bits = (high << 32) | random();
    if (bits >= threshold) return bits % n;
  }
}

float uniform_float(Philox& random, float low, float high) { return low + (high - low) * unit_float(random()); }

float normal_float(Philox& random) {
  const float u = 1.0f - unit_float(random());
  const float v = unit_float(random());
  return std::sqrt(-2.0f * std::log(u)) * std::cos(2.0f * std::numbers::pi_v<float> * v);
}

}  // namespace eddy
