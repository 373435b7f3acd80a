// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

/// Pure functions of plain values: safe to call concurrently.
namespace eddy {

struct SplitOptions {
  std::int64_t test = 5000;
  std::int64_t labelled = 1000;
  std::uint64_t seed = 1;
};

/// Document indices of the three parts; they are disjoint and together everything.
struct Split {
  std::vector<std::int32_t> test;
  std::vector<std::int32_t> labelled;
  std::vector<std::int32_t> unlabelled;
};

/// `wanted` of the places 0 … count - 1, rising and evenly spaced from 0 on; all of them when there are no more.
std::vector<std::size_t> evenly_spaced(std::size_t count, std::size_t wanted);

/// Random split of `documents` indices. With one seed the test part is the same for every `labelled`, and a smaller
/// labelled part is the beginning of a larger one. Throws DataError when the parts ask for more than there is.
Split split_for_pretraining(std::int64_t documents, const SplitOptions& options = {});

}  // namespace eddy
