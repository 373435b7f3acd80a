// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal: part of ops.

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace eddy {

/// A hash table from non-negative ids to the position where each was put in, in memory given from outside. Open
/// addressing, at most half full; not thread-safe for writing.
class IdTable {
 public:
  static std::size_t bytes(std::int64_t ids) { return slots(ids) * 2 * sizeof(std::int32_t); }

  /// `memory` holds bytes(ids) for at most `ids` different ids; it is cleared.
  IdTable(void* memory, std::int64_t ids)
      : mask_(slots(ids) - 1), keys_(static_cast<std::int32_t*>(memory)), positions_(keys_ + slots(ids)) {
    std::fill_n(keys_, mask_ + 1, -1);
  }

  /// The position of `id`, or -1.
  std::int32_t find(std::int32_t id) const {
    const std::size_t slot = slot_of(id);
    return keys_[slot] == id ? positions_[slot] : -1;
  }
  /// Sets the position of `id`; returns the one it had, or -1.
  std::int32_t put(std::int32_t id, std::int32_t position) {
    const std::size_t slot = slot_of(id);
    const std::int32_t before = keys_[slot] == id ? positions_[slot] : -1;
    keys_[slot] = id;
    positions_[slot] = position;
    return before;
  }

 private:
  static std::size_t slots(std::int64_t ids) {
    return std::bit_ceil(static_cast<std::size_t>(std::max<std::int64_t>(ids, 1)) * 2);
  }
  std::size_t slot_of(std::int32_t id) const {
    // Fibonacci hashing: neighbouring ids land far apart.
    std::size_t slot =
        (static_cast<std::uint64_t>(static_cast<std::uint32_t>(id)) * 0x9E3779B97F4A7C15ull >> 32) & mask_;
    while (keys_[slot] != -1 && keys_[slot] != id) slot = (slot + 1) & mask_;
    return slot;
  }

  std::size_t mask_;
  std::int32_t* keys_;
  std::int32_t* positions_;
};

}  // namespace eddy
