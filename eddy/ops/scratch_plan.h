// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal: part of ops.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "eddy/core/rounding.h"
#include "eddy/core/tensor.h"
#include "eddy/graph/op.h"

namespace eddy {

/// Lays out a kernel's scratch memory: pieces one behind another, each on a kAlignment boundary.
class ScratchPlan {
 public:
  /// With a first piece of `bytes`, at offset 0.
  explicit ScratchPlan(std::size_t bytes = 0) { take(bytes); }

  /// The offset of a new piece.
  std::size_t take(std::size_t bytes) { return std::exchange(bytes_, bytes_ + round_up(bytes, kAlignment)); }
  template <class T>
  std::size_t take(std::int64_t count) {
    return take(static_cast<std::size_t>(count) * sizeof(T));
  }
  /// A piece for output `index`, when nobody reads it: see output_or_scratch().
  std::size_t take_for_unused(const KernelContext& context, std::size_t index) {
    return take(context.output_used[index] ? 0 : context.outputs[index].bytes());
  }
  /// Makes room for a plan that began as a copy of this one: pieces of both taken since then share their place.
  void cover(const ScratchPlan& other) { bytes_ = std::max(bytes_, other.bytes_); }
  std::size_t bytes() const { return bytes_; }

 private:
  std::size_t bytes_ = 0;
};

template <class T>
T* scratch_at(const KernelArgs& args, std::size_t offset) {
  return reinterpret_cast<T*>(static_cast<std::byte*>(args.scratch) + offset);
}

/// Output `index`, or scratch memory at `offset` when nobody reads it.
inline float* output_or_scratch(const KernelArgs& args, int index, std::size_t offset) {
  if (float* out = args.out<float>(index)) return out;
  return scratch_at<float>(args, offset);
}

}  // namespace eddy
