// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>

namespace eddy {

/// Seconds on a clock that only ever moves forward, to measure how long things take. Thread-safe.
inline double steady_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace eddy
