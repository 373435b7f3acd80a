// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "eddy/core/number_text.h"
#include "eddy/experiments/chart.h"

namespace eddy {
std::vector<double> nice_ticks(double low, double high, int wanted) {
  if (!std::isfinite(low) || !std::isfinite(high) || low > high) return {0, 1};
  // A range of one value still gets an axis, wide enough to be told apart in floating point.
  if (high - low <= 1e-12 * std::max(std::abs(low), std::abs(high))) {
    const double margin = low == 0 ? 1 : std::abs(low) * 0.1;
    low -= margin;
    high += margin;
  }
  const double rough = (high - low) / std::max(wanted - 1, 1);
  const double power = std::pow(10.0, std::floor(std::log10(rough)));
  const double unit = rough / power;
  const double step = (unit <= 1.0001 ? 1 : unit <= 2.0001 ? 2 : unit <= 5.0001 ? 5 : 10) * power;
  const double first = std::floor(low / step + 1e-9);
  const double last = std::ceil(high / step - 1e-9);
  std::vector<double> ticks;
  for (double i = first; i <= last && ticks.size() < 100; ++i) ticks.push_back(i * step);
  return ticks;
}

std::vector<std::string> tick_labels(const std::vector<double>& ticks) {
  double largest = 0;
  for (const double tick : ticks) largest = std::max(largest, std::abs(tick));
  const double step = ticks.size() > 1 ? std::abs(ticks[1] - ticks[0]) : largest;
  std::vector<std::string> labels;
  for (const double tick : ticks) {
    if (largest >= 1e9 || (largest > 0 && step < 1e-4)) {
      labels.push_back(tick == 0 ? "0" : fmt::format("{:g}", tick));
      continue;
    }
    const int decimals = step > 0 && step < 1 ? static_cast<int>(std::ceil(-std::log10(step) - 1e-9)) : 0;
    labels.push_back(with_thousands(fmt::format("{:.{}f}", std::abs(tick) < step * 1e-6 ? 0.0 : tick, decimals)));
  }
  return labels;
}

}  // namespace eddy
