// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

/// Pure functions of plain values: safe to call concurrently.
namespace eddy {

/// Document indices of the two parts; they are disjoint and together everything.
struct Split {
  std::vector<std::int32_t> train;
  std::vector<std::int32_t> test;
};

/// `wanted` of the places 0 … count - 1, rising and evenly spaced from 0 on; all of them when there are no more.
std::vector<std::size_t> evenly_spaced(std::size_t count, std::size_t wanted);

/// Random split of `documents` indices, each part in random order. Throws DataError when `test` is more than there are.
Split split_off_test(std::int64_t documents, std::int64_t test, std::uint64_t seed);

}  // namespace eddy
