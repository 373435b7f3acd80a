// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace eddy {

struct MemoryPlan;

/// A buffer of a program: how large, and during which steps (inclusive) its contents matter. A plain value; the
/// functions here are pure.
struct BufferLife {
  std::size_t bytes = 0;
  int first = 0;
  int last = 0;
  std::string label;
  std::shared_ptr<const MemoryPlan> body = {};  ///< of the loop this is the scratch of: how a step uses it
};

/// Where each buffer lies in the arena. Plain data; printed by `to_string`.
struct MemoryPlan {
  std::vector<BufferLife> buffers;
  std::vector<std::size_t> offsets;  ///< one per buffer, multiples of kAlignment
  std::size_t arena_bytes = 0;
  std::size_t unshared_bytes = 0;  ///< what the arena would need if no two buffers shared memory
  std::size_t result_bytes = 0;    ///< results, kept apart so that they outlive the run
  std::size_t variable_bytes = 0;  ///< variables the program touches
  std::size_t constant_bytes = 0;

  /// The step at which most bytes are alive, and how many.
  int peak_step() const;
  std::size_t bytes_alive(int step) const;
};

/// Packs buffers by descending size, each at the lowest offset free during its life.
/// Without `reuse` every buffer gets memory of its own.
MemoryPlan plan_memory(std::vector<BufferLife> buffers, bool reuse = true);

/// Totals, and who is alive at the peak, largest first; of the scratch of a loop, who is at the peak of a step.
std::string to_string(const MemoryPlan& plan);

/// "1.5 MiB".
std::string format_bytes(std::size_t bytes);

/// The memory programs compute in. Programs that share one must not run at the same time; it grows to the largest.
class Arena {
 public:
  /// Makes at least `bytes` available; the contents are lost when it grows. Throws MemoryError, and then is as large as
  /// before, or empty where even that cannot be had again.
  void reserve(std::size_t bytes);
  /// On a kAlignment boundary, until it grows; null before the first reserve().
  std::byte* data() const { return memory_.get(); }
  std::size_t bytes() const { return bytes_; }

 private:
  std::shared_ptr<std::byte> memory_;
  std::size_t bytes_ = 0;
};

}  // namespace eddy
