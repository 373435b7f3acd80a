// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace eddy {

/// Memory of this process in bytes. Pages of mapped files count as resident while the system keeps them, but it may
/// drop them at any time; `anonymous` is what only the process itself can give back.
struct MemoryUse {
  std::int64_t resident = 0;
  std::int64_t anonymous = 0;
  std::int64_t peak_resident = 0;
};

/// As the kernel counts it now; zeros where it does not say. Thread-safe.
MemoryUse memory_use();

}  // namespace eddy
