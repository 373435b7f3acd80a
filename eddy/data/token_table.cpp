// SPDX-License-Identifier: Apache-2.0
#include "eddy/data/token_table.h"

#include <functional>
#include <limits>

#include "eddy/core/error.h"

namespace eddy {

namespace {

std::uint32_t hash_of(std::string_view token) {
  const std::uint64_t hash = std::hash<std::string_view>()(token);
  return static_cast<std::uint32_t>(hash ^ (hash >> 32));
}

}  // namespace

TokenTable::TokenTable() : starts_(1, 0), slots_(64) {}

std::size_t TokenTable::slot_of(std::string_view token, std::uint32_t hash) const {
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t i = hash & mask;; i = (i + 1) & mask) {
    const Slot& slot = slots_[i];
    if (slot.number < 0 || (slot.hash == hash && text(slot.number) == token)) return i;
  }
}

std::int32_t TokenTable::find(std::string_view token) const { return slots_[slot_of(token, hash_of(token))].number; }

std::int32_t TokenTable::insert(std::string_view token) {
  const std::uint32_t hash = hash_of(token);
  const std::size_t at = slot_of(token, hash);
  if (slots_[at].number >= 0) return slots_[at].number;
  require<DataError>(text_.size() + token.size() <= std::numeric_limits<std::uint32_t>::max(),
                     "distinct tokens pass 4 GiB of text at token {}", size());
  const std::int32_t number = size();
  text_.append(token);
  starts_.push_back(static_cast<std::uint32_t>(text_.size()));
  slots_[at] = {hash, number};
  if (starts_.size() * 2 > slots_.size()) grow();
  return number;
}

void TokenTable::grow() {
  std::vector<Slot> old(slots_.size() * 2);
  old.swap(slots_);
  const std::size_t mask = slots_.size() - 1;
  for (const Slot& slot : old) {
    if (slot.number < 0) continue;
    std::size_t i = slot.hash & mask;
    while (slots_[i].number >= 0) i = (i + 1) & mask;
    slots_[i] = slot;
  }
}

}  // namespace eddy
