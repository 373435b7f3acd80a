// SPDX-License-Identifier: Apache-2.0
#include "eddy/graph/precedence.h"

#include <functional>
#include <queue>

namespace eddy {

std::vector<int> Precedence::order() const {
  const auto count = static_cast<std::size_t>(count_);
  // The followers of a number stand from its `first` on, up to the next one's.
  std::vector<std::size_t> first(count + 1, 0);
  std::vector<int> waiting(count, 0);
  for (const auto& [before, after] : pairs_) {
    ++first[static_cast<std::size_t>(before) + 1];
    ++waiting[static_cast<std::size_t>(after)];
  }
  for (std::size_t i = 0; i < count; ++i) first[i + 1] += first[i];
  std::vector<int> followers(pairs_.size());
  std::vector<std::size_t> next(first.begin(), first.end() - 1);
  for (const auto& [before, after] : pairs_) followers[next[static_cast<std::size_t>(before)]++] = after;

  std::priority_queue<int, std::vector<int>, std::greater<>> ready;
  for (int i = 0; i < count_; ++i)
    if (waiting[static_cast<std::size_t>(i)] == 0) ready.push(i);
  std::vector<int> order;
  order.reserve(count);
  while (!ready.empty()) {
    const int now = ready.top();
    ready.pop();
    order.push_back(now);
    for (std::size_t i = first[static_cast<std::size_t>(now)]; i < first[static_cast<std::size_t>(now) + 1]; ++i)
      if (--waiting[static_cast<std::size_t>(followers[i])] == 0) ready.push(followers[i]);
  }
  return order;
}

}  // namespace eddy
