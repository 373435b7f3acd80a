// SPDX-License-Identifier: Apache-2.0
#pragma once

// Internal: part of compilation.

#include <utility>
#include <vector>

namespace eddy {

/// Which of the numbers 0 to n - 1 must come before which.
class Precedence {
 public:
  explicit Precedence(int count) : count_(count) {}

  void add(int before, int after) { pairs_.emplace_back(before, after); }
  /// All numbers, each after those that must precede it, otherwise ascending. Those that wait for themselves, and what
  /// waits for these, are left out.
  std::vector<int> order() const;

 private:
  int count_;
  std::vector<std::pair<int, int>> pairs_;
};

}  // namespace eddy
