// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>
#include <iterator>
#include <limits>

#include "eddy/core/tensor.h"

namespace eddy::test {

/// NaN when either is, unlike std::max: no bound holds for it then.
inline double larger(double a, double b) { return a >= b || std::isnan(a) ? a : b; }

/// The largest |x|; NaN when an element is.
double largest_magnitude(const auto& values) {
  double largest = 0;
  for (const auto x : values) largest = larger(largest, std::fabs(static_cast<double>(x)));
  return largest;
}

/// The largest |got - expected|; NaN when an element is, or when the sizes differ.
double largest_difference(const auto& got, const auto& expected) {
  if (std::size(got) != std::size(expected)) return std::numeric_limits<double>::quiet_NaN();
  double largest = 0;
  for (std::size_t i = 0; i < std::size(got); ++i)
    largest = larger(largest, std::fabs(static_cast<double>(got[i]) - static_cast<double>(expected[i])));
  return largest;
}

/// The same of the largest |expected|; NaN when all of these are 0 too.
inline double relative_difference(const Tensor& got, const Tensor& expected) {
  const auto wanted = expected.values<const float>();
  return largest_difference(got.values<const float>(), wanted) / largest_magnitude(wanted);
}

}  // namespace eddy::test
