// SPDX-License-Identifier: Apache-2.0
#include "eddy/experiments/memory_use.h"

#include <fstream>
#include <string>

namespace eddy {

MemoryUse memory_use() {
  MemoryUse use;
  // Lines such as "VmRSS:     12345 kB".
  std::ifstream status("/proc/self/status");
  for (std::string key; status >> key;) {
    std::int64_t* const member = key == "VmRSS:"     ? &use.resident
                                 : key == "RssAnon:" ? &use.anonymous
                                 : key == "VmHWM:"   ? &use.peak_resident
                                                     : nullptr;
    if (member != nullptr && status >> *member) *member *= 1024;
    std::getline(status, key);
  }
  return use;
}

}  // namespace eddy
