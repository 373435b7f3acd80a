// SPDX-License-Identifier: Apache-2.0
#include "eddy/ops/broadcast_loop.h"

namespace eddy {

BroadcastLoop::BroadcastLoop(const Shape& shape, std::span<const Shape> inputs) : elements_(shape.elements()) {
  Offsets steps;  // elements below the current axis, for each input
  steps.fill(1);
  int slot = Shape::kMaxRank;  // axes are filled from the right
  for (int axis = shape.rank() - 1; axis >= 0; --axis) {
    if (shape[axis] == 1) continue;
    Axis next{.size = shape[axis], .strides = {}};
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const int own = axis - (shape.rank() - inputs[i].rank());
      const std::int64_t size = own >= 0 ? inputs[i][own] : 1;
      next.strides[i] = size == 1 ? 0 : steps[i];
      steps[i] *= size;
    }
    bool merges = slot < Shape::kMaxRank;
    for (std::size_t i = 0; merges && i < inputs.size(); ++i) {
      const Axis& below = axes_[static_cast<std::size_t>(slot)];
      merges = next.strides[i] == below.strides[i] * below.size;
    }
    if (merges) {
      axes_[static_cast<std::size_t>(slot)].size *= next.size;
    } else {
      axes_[static_cast<std::size_t>(--slot)] = next;
    }
  }
  // One element in all: every input has it.
  if (slot == Shape::kMaxRank)
    for (std::size_t i = 0; i < inputs.size(); ++i) axes_.back().strides[i] = 1;
}

BroadcastLoop::Offsets BroadcastLoop::locate(std::int64_t element,
                                             std::array<std::int64_t, Shape::kMaxRank>& index) const {
  Offsets offsets{};
  for (int axis = Shape::kMaxRank - 1; axis >= 0; --axis) {
    const Axis& a = axes_[static_cast<std::size_t>(axis)];
    index[static_cast<std::size_t>(axis)] = element % a.size;
    element /= a.size;
    for (std::size_t i = 0; i < kMaxInputs; ++i) offsets[i] += index[static_cast<std::size_t>(axis)] * a.strides[i];
  }
  return offsets;
}

}  // namespace eddy
