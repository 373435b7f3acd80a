// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal: part of programs and thread teams.

#include <xmmintrin.h>

namespace eddy {

/// Sets floating-point modes (rounding, denormal numbers, traps) of this thread while it lives. Flags that say what has
/// happened (inexact, overflow, …) stay as they are.
class FloatModes {
 public:
  explicit FloatModes(unsigned modes) : before_(current()) { set(modes); }
  ~FloatModes() { set(before_); }
  FloatModes(const FloatModes&) = delete;
  FloatModes& operator=(const FloatModes&) = delete;

  static unsigned current() { return _mm_getcsr() & ~kFlags; }
  /// The current modes, but with denormal arguments and results taken for zeros: an instruction that meets one costs
  /// some 150 cycles otherwise, and softmaxes and second moments are full of them where a model is sure of itself.
  static unsigned without_denormals() { return current() | kFlushToZero | kDenormalsAreZeros; }

 private:
  static constexpr unsigned kFlushToZero = 0x8000, kDenormalsAreZeros = 0x0040, kFlags = 0x003F;

  static void set(unsigned modes) {
    const unsigned all = _mm_getcsr();
    if ((all & ~kFlags) != modes) _mm_setcsr(modes | (all & kFlags));
  }

  unsigned before_;
};

}  // namespace eddy
