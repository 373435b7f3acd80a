// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal: part of kernels.

#include <sched.h>

#include <atomic>

namespace eddy {

/// A barrier for the members of one team inside a kernel's time loop. It spins for a few microseconds, then gives the
/// processor away, so that another busy process slows it but does not stop it.
class Barrier {
 public:
  Barrier() = default;
  Barrier(const Barrier&) = delete;
  Barrier& operator=(const Barrier&) = delete;

  /// Returns when `members` callers have come; all must pass the same number.
  void wait(int members) {
    if (members <= 1) return;
    const unsigned phase = phase_.load(std::memory_order_relaxed);
    if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == members) {
      arrived_.store(0, std::memory_order_relaxed);
      phase_.store(phase + 1, std::memory_order_release);
      return;
    }
    for (int spin = 0; phase_.load(std::memory_order_acquire) == phase; ++spin) {
      if (spin < kSpins) {
        __builtin_ia32_pause();
      } else {
        sched_yield();
      }
    }
  }

 private:
  static constexpr int kSpins = 2000;

  alignas(64) std::atomic<int> arrived_{0};
  alignas(64) std::atomic<unsigned> phase_{0};
};

}  // namespace eddy
