// SPDX-License-Identifier: Apache-2.0
#include "tests/support/finite_differences.h"

#include <fmt/format.h>

#include <cmath>
#include <numeric>

#include "eddy/core/random.h"

namespace eddy::test {
namespace {

constexpr int kDirections = 12;
constexpr int kEnough = 4;
// With inputs on a grid of 2^-12 and directions in sixteenths, every step is exact in f32.
constexpr double kStep = 0x1p-7;

/// For each input of `wrt` a direction: multiples of 1/16 in [-1, 1], in every second one mostly zeros.
std::vector<std::vector<double>> random_direction(std::span<const Tensor> inputs, std::span<const int> wrt, bool sparse,
                                                  Philox& random) {
  std::vector<std::vector<double>> direction;
  for (const int i : wrt) {
    std::vector<double>& d =
        direction.emplace_back(static_cast<std::size_t>(inputs[static_cast<std::size_t>(i)].elements()));
    for (double& x : d) {
      if (sparse && uniform_index(random, 4) != 0) continue;
      const double size = static_cast<double>(4 + uniform_index(random, 13)) / 16;
      x = uniform_index(random, 2) == 0 ? size : -size;
    }
  }
  return direction;
}

}  // namespace

std::string check_gradients(const Terms& terms, std::span<const Tensor> inputs, std::span<const int> wrt,
                            std::span<const std::vector<double>> gradients, double tolerance, std::uint64_t seed) {
  Philox random(seed);
  std::vector<Tensor> moved(inputs.begin(), inputs.end());
  const auto value_at = [&](const std::vector<std::vector<double>>& direction, double step) {
    for (std::size_t k = 0; k < wrt.size(); ++k) {
      const auto i = static_cast<std::size_t>(wrt[k]);
      moved[i] = inputs[i].clone();
      const std::span<float> values = moved[i].values<float>();
      for (std::size_t j = 0; j < values.size(); ++j)
        values[j] = static_cast<float>(static_cast<double>(values[j]) + step * direction[k][j]);
    }
    const std::vector<double> parts = terms(moved);
    return std::accumulate(parts.begin(), parts.end(), 0.0);
  };
  double squares = 0;
  for (const double term : terms(inputs)) squares += term * term;
  const double noise = 8 * 6e-8 * (std::sqrt(squares) + 1e-3) / kStep;

  int passed = 0;
  std::string last;
  for (int attempt = 0; attempt < kDirections; ++attempt) {
    const auto direction = random_direction(inputs, wrt, attempt % 2 == 1, random);
    double expected = 0;
    double size = 0;
    for (std::size_t k = 0; k < wrt.size(); ++k)
      for (std::size_t j = 0; j < direction[k].size(); ++j) {
        const double term = gradients[k][j] * direction[k][j];
        expected += term;
        size += term * term;
      }
    const double allowed = tolerance * std::sqrt(size) + noise;
    const double wide = (value_at(direction, kStep) - value_at(direction, -kStep)) / (2 * kStep);
    const double narrow = (value_at(direction, kStep / 2) - value_at(direction, -kStep / 2)) / kStep;
    const double measured = (4 * narrow - wide) / 3;
    if (std::abs(measured - expected) <= allowed) {
      ++passed;
      continue;
    }
    last = fmt::format("direction {}: the gradient gives {}, differences give {} (steps {} and {}, allowed error {})",
                       attempt, expected, measured, wide, narrow, allowed);
    const bool smooth = std::abs(wide - narrow) <= allowed / 2;
    if (smooth || !std::isfinite(measured) || !std::isfinite(expected)) return last;
  }
  if (passed >= kEnough) return {};
  return fmt::format("only {} of {} directions are free of kinks and agree; the last of the others: {}", passed,
                     kDirections, last);
}

}  // namespace eddy::test
