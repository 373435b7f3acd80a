// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal: part of vocabularies.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace eddy {

/// Distinct strings numbered 0, 1, 2, ... in the order of insertion. One block of text and one open-addressing table,
/// so a look-up touches little memory and a copy is cheap. Concurrent reads are safe.
class TokenTable {
 public:
  TokenTable();

  /// The number of `token`, or -1.
  std::int32_t find(std::string_view token) const;
  /// The number of `token`, which is added when it is new. Throws DataError when the text passes 4 GiB.
  std::int32_t insert(std::string_view token);
  /// Valid until the next insert. Undefined for a number not given out.
  std::string_view text(std::int32_t number) const {
    const auto i = static_cast<std::size_t>(number);
    return {text_.data() + starts_[i], starts_[i + 1] - starts_[i]};
  }
  std::int32_t size() const { return static_cast<std::int32_t>(starts_.size()) - 1; }

 private:
  struct Slot {
    std::uint32_t hash = 0;
    std::int32_t number = -1;
  };
  /// The slot that holds `token`, or the free one where it belongs.
  std::size_t slot_of(std::string_view token, std::uint32_t hash) const;
  void grow();

  std::string text_;
  std::vector<std::uint32_t> starts_;
  std::vector<Slot> slots_;
};

}  // namespace eddy
