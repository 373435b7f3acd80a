// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal: part of optimizers.

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace eddy {

/// The last elements of up to kArrays arrays, fewer than a vector of at most kVectorBytes holds, in whole vectors of
/// their own: a neighbour's elements must not be written, not even unchanged.
template <int kArrays, std::size_t kVectorBytes>
class VectorTail {
 public:
  explicit VectorTail(std::int64_t count) : count_(count) {}

  float* load(int array, const float* from) {
    std::copy_n(from, count_, vectors_[array]);
    return vectors_[array];
  }
  void store(int array, float* to) const { std::copy_n(vectors_[array], count_, to); }

 private:
  alignas(64) float vectors_[kArrays][kVectorBytes / sizeof(float)] = {};
  std::int64_t count_;
};

}  // namespace eddy
