// SPDX-License-Identifier: Apache-2.0
#include "eddy/data/split.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <span>

#include "eddy/core/error.h"
#include "eddy/core/number_text.h"
#include "eddy/core/random.h"

namespace eddy {

std::vector<std::size_t> evenly_spaced(std::size_t count, std::size_t wanted) {
  std::vector<std::size_t> places(std::min(count, wanted));
  for (std::size_t i = 0; i < places.size(); ++i) places[i] = i * count / places.size();
  return places;
}

Split split_off_test(std::int64_t documents, std::int64_t test, std::uint64_t seed) {
  require<DataError>(documents >= 0 && documents <= std::numeric_limits<std::int32_t>::max(),
                     "a split of {} documents: expected 0 to 2147483647", documents);
  require<DataError>(test >= 0 && test <= documents, "{} asked for, there are {}", counted(test, "test document"),
                     documents);
  std::vector<std::int32_t> order(static_cast<std::size_t>(documents));
  std::iota(order.begin(), order.end(), 0);
  Philox random(seed, stable_hash("split"));
  shuffle(std::span(order), random);
  const auto test_end = order.begin() + test;
  return {.train = {test_end, order.end()}, .test = {order.begin(), test_end}};
}

}  // namespace eddy
