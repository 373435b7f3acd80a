// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <cstdint>
#include <utility>
#include <vector>

#include "eddy/core/gather.h"
#include "eddy/core/random.h"

TEST_CASE("gather: elements of four bytes by their places, zeros for what is named nowhere") {
  eddy::Philox random(5);
  constexpr std::int32_t kSize = 7;
  for (std::int64_t n = 0; n < 70; ++n)
    for (const bool columns : {false, true}) {
      const std::int32_t stride = columns ? static_cast<std::int32_t>(n) + 3 : 1, advance = columns ? 1 : 0;
      std::vector<std::int32_t> table(static_cast<std::size_t>(kSize * stride));
      for (std::int32_t& value : table) value = static_cast<std::int32_t>(eddy::uniform_index(random, 1U << 31)) - 9;
      std::vector<std::int32_t> index(static_cast<std::size_t>(n)), out(index.size() + 1, 77);
      for (std::int32_t& position : index) position = static_cast<std::int32_t>(eddy::uniform_index(random, 9)) - 2;
      const auto expected = [&](std::size_t i) {
        const std::int32_t at = index[i];
        return at < 0 || at >= kSize ? 0 : table[static_cast<std::size_t>(at * stride + advance * static_cast<int>(i))];
      };
      const auto check = [&](bool within) {
        CHECK(eddy::vector_gather(table.data(), index.data(), kSize, stride, advance, out.data(), n) == within);
        for (std::size_t i = 0; i < index.size(); ++i) CHECK(out[i] == expected(i));
        CHECK(out.back() == 77);
      };
      check(true);
      for (const std::int64_t place : {std::int64_t{0}, n / 2, n - 1}) {
        if (place < 0 || place >= n) continue;
        const std::int32_t before =
            std::exchange(index[static_cast<std::size_t>(place)], place % 2 ? kSize : INT32_MAX);
        check(false);
        index[static_cast<std::size_t>(place)] = before;
      }
    }
}

TEST_CASE("gather: of a table without elements nothing is read") {
  const std::vector<std::int32_t> nowhere(40, -1);
  std::vector<std::int32_t> out(40, 77);
  CHECK(eddy::vector_gather(nullptr, nowhere.data(), 0, 1, 0, out.data(), 40));
  CHECK(out == std::vector<std::int32_t>(40, 0));
  const std::vector<std::int32_t> first(40, 0);
  CHECK_FALSE(eddy::vector_gather(nullptr, first.data(), 0, 1, 0, out.data(), 40));
}
