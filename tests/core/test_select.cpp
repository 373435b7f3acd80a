// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "eddy/core/random.h"
#include "eddy/core/select.h"

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

/// Small whole numbers, so that many are equal, with the odd infinity and NaN.
std::vector<float> some_numbers(std::int64_t n, eddy::Philox& random) {
  std::vector<float> x(static_cast<std::size_t>(n));
  for (float& value : x) {
    const std::uint64_t draw = eddy::uniform_index(random, 40);
    value = draw == 0 ? kInfinity : draw == 1 ? -kInfinity : draw == 2 ? kNan : static_cast<float>(draw % 7);
  }
  return x;
}

std::vector<float> negated(std::vector<float> x) {
  for (float& value : x) value = -value;
  return x;
}

}  // namespace

TEST_CASE("the first number above a bound") {
  eddy::Philox random(3);
  for (std::int64_t n = 0; n < 150; ++n) {
    const std::vector<float> x = some_numbers(n, random);
    for (const float bound : {-kInfinity, 2.0F, 5.5F, 6.0F, kInfinity}) {
      std::int64_t want = 0;
      while (want < n && x[static_cast<std::size_t>(want)] <= bound) ++want;
      CHECK(eddy::vector_first_above(x.data(), bound, n) == want);
      want = 0;
      while (want < n && x[static_cast<std::size_t>(want)] < bound) ++want;
      CHECK(eddy::vector_first_at_least(x.data(), bound, n) == want);
      want = 0;
      while (want < n && x[static_cast<std::size_t>(want)] > bound) ++want;
      CHECK(eddy::vector_first_at_most(x.data(), bound, n) == want);
    }
  }
  std::vector<float> same(1000, 1.0F);
  CHECK(eddy::vector_first_above(same.data(), 1, 1000) == 1000);
  same[997] = 2;
  CHECK(eddy::vector_first_above(same.data(), 1, 1000) == 997);
}

TEST_CASE("the first of the largest, whatever its sign") {
  eddy::Philox random(5);
  constexpr float kDenormal = std::numeric_limits<float>::denorm_min();
  for (std::int64_t n = 1; n < 150; ++n)
    for (const float offset : {0.0F, -6.0F, -9.0F}) {
      std::vector<float> x = some_numbers(n, random);
      for (float& value : x) value = std::isinf(value) || uniform_index(random, 20) > 0 ? value + offset : -0.0F;
      std::int64_t want = 0;
      for (std::int64_t i = 1; i < n; ++i) {
        const float best = x[static_cast<std::size_t>(want)], now = x[static_cast<std::size_t>(i)];
        if (!std::isnan(best) && (now > best || std::isnan(now))) want = i;
      }
      CHECK(eddy::vector_first_largest(x.data(), n) == want);
      CHECK(eddy::vector_first_smallest(negated(x).data(), n) == want);
    }
  for (const float alike : {0.0F, -0.0F, -1.0F, kDenormal, -kDenormal, kInfinity, -kInfinity, kNan}) {
    const std::vector<float> x(70, alike);
    CHECK(eddy::vector_first_largest(x.data(), 70) == 0);
    CHECK(eddy::vector_first_smallest(x.data(), 70) == 0);
  }
}

TEST_CASE("the larger number of each column and its row") {
  eddy::Philox random(4);
  for (const std::int64_t n : {1, 5, 16, 33, 70}) {
    const auto size = static_cast<std::size_t>(n);
    std::vector<float> best = some_numbers(n, random), want = best;
    std::vector<float> smallest = negated(best);
    std::vector<std::int32_t> index(size, 0), smallest_index = index, want_index = index;
    for (std::int32_t row = 1; row < 12; ++row) {
      const std::vector<float> x = some_numbers(n, random);
      for (std::size_t i = 0; i < size; ++i) {
        if (std::isnan(want[i]) || !(x[i] > want[i] || std::isnan(x[i]))) continue;
        want[i] = x[i];
        want_index[i] = row;
      }
      eddy::vector_keep_larger(x.data(), row, best.data(), index.data(), n);
      eddy::vector_keep_smaller(negated(x).data(), row, smallest.data(), smallest_index.data(), n);
    }
    CHECK(index == want_index);
    CHECK(smallest_index == want_index);
    for (std::size_t i = 0; i < size; ++i) {
      CHECK((best[i] == want[i] || (std::isnan(best[i]) && std::isnan(want[i]))));
      CHECK((smallest[i] == -want[i] || (std::isnan(smallest[i]) && std::isnan(want[i]))));
    }
  }
}

TEST_CASE("whole numbers: the largest, the first above a bound, and the larger of each column") {
  eddy::Philox random(6);
  constexpr std::int32_t kLeast = std::numeric_limits<std::int32_t>::min();
  constexpr std::int32_t kMost = std::numeric_limits<std::int32_t>::max();
  for (std::int64_t n = 0; n < 120; ++n) {
    std::vector<std::int32_t> x(static_cast<std::size_t>(n));
    for (std::int32_t& value : x) {
      const std::uint64_t draw = eddy::uniform_index(random, 30);
      value = draw == 0 ? kLeast : draw == 1 ? kMost : static_cast<std::int32_t>(draw % 7) - 3;
    }
    const auto largest = std::max_element(x.begin(), x.end());
    CHECK(eddy::vector_max_value(x.data(), n) == (n == 0 ? kLeast : *largest));
    const auto smallest = std::min_element(x.begin(), x.end());
    CHECK(eddy::vector_min_value(x.data(), n) == (n == 0 ? kMost : *smallest));
    if (n > 0) CHECK(eddy::vector_first_largest(x.data(), n) == largest - x.begin());
    if (n > 0) CHECK(eddy::vector_first_smallest(x.data(), n) == smallest - x.begin());
    for (const std::int32_t bound : {kLeast, -2, 2, 3}) {
      const auto first = std::find_if(x.begin(), x.end(), [&](std::int32_t value) { return value > bound; });
      CHECK(eddy::vector_first_above(x.data(), bound, n) == first - x.begin());
      const auto equal = std::find_if(x.begin(), x.end(), [&](std::int32_t value) { return value >= bound; });
      CHECK(eddy::vector_first_at_least(x.data(), bound, n) == equal - x.begin());
      const auto down = std::find_if(x.begin(), x.end(), [&](std::int32_t value) { return value <= bound; });
      CHECK(eddy::vector_first_at_most(x.data(), bound, n) == down - x.begin());
    }
    std::vector<std::int32_t> best(x.rbegin(), x.rend()), index(x.size(), 0);
    std::vector<std::int32_t> want = best, want_index = index;
    for (std::size_t i = 0; i < x.size(); ++i)
      if (x[i] > want[i]) {
        want[i] = x[i];
        want_index[i] = 5;
      }
    eddy::vector_keep_larger(x.data(), 5, best.data(), index.data(), n);
    CHECK(best == want);
    CHECK(index == want_index);
    // Swapped, the smaller of each column are what the larger ones left.
    std::vector<std::int32_t> low(x.rbegin(), x.rend());
    eddy::vector_keep_smaller(x.data(), 5, low.data(), index.data(), n);
    for (std::size_t i = 0; i < x.size(); ++i) CHECK(low[i] == std::min(x[i], x[x.size() - 1 - i]));
  }
}
