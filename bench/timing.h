// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <vector>

#include "eddy/core/clock.h"
#include "eddy/core/peak.h"

namespace eddy::bench {

/// Seconds `body` takes once.
template <class Body>
double seconds_of(Body&& body) {
  const double start = steady_seconds();
  body();
  return steady_seconds() - start;
}

/// The FMA peak in flop/s, the best of several short tries: on a busy machine one may see only a slice of a processor.
inline double sampled_fma_peak() {
  double peak = 0;
  for (int attempt = 0; attempt < 3; ++attempt) peak = std::max(peak, measure_fma_peak(0.003));
  return peak;
}

/// Median, of an even number the mean of the two in the middle, as Python's; the values are sorted in place. 0 for
/// none.
inline double median(std::vector<double>& values) {
  if (values.empty()) return 0;
  std::ranges::sort(values);
  return (values[(values.size() - 1) / 2] + values[values.size() / 2]) / 2;
}

}  // namespace eddy::bench
