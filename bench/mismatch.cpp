// SPDX-License-Identifier: Apache-2.0
#include "bench/mismatch.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>

namespace eddy::bench {

std::string mismatch(std::span<const Tensor> got, std::span<const Tensor> expected, double tolerance) {
  if (got.size() != expected.size()) return fmt::format("{} results, expected {}", got.size(), expected.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    if (got[i].type() != expected[i].type())
      return fmt::format("result {} is {}, expected {}", i, to_string(got[i].type()), to_string(expected[i].type()));
    if (got[i].dtype() != f32) {
      if (std::memcmp(got[i].data(), expected[i].data(), got[i].bytes()) != 0)
        return fmt::format("result {} {} differs", i, to_string(got[i].type()));
      continue;
    }
    const std::span<const float> a = got[i].values<const float>();
    const std::span<const float> b = expected[i].values<const float>();
    double scale = 1e-6;
    for (const float x : b) scale = std::max(scale, std::abs(static_cast<double>(x)));
    for (std::size_t j = 0; j < a.size(); ++j)
      if (!(std::abs(static_cast<double>(a[j]) - static_cast<double>(b[j])) <= tolerance * scale))
        return fmt::format("result {} {} is {} at element {}, expected {}", i, to_string(got[i].type()), a[j], j, b[j]);
  }
  return {};
}

}  // namespace eddy::bench
