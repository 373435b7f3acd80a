// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "eddy/core/random.h"
#include "eddy/core/table_screen.h"

namespace {

/// A screen of a table, with its memory; what is read and not used holds other numbers.
struct Screened {
  std::vector<std::int8_t> integers;
  std::vector<float> scales, errors;
  eddy::TableScreen screen;

  Screened(const std::vector<float>& table, std::int64_t rows, std::int64_t size)
      : integers(static_cast<std::size_t>(eddy::screen_rows_kept(rows) * eddy::screen_width(size)), 77),
        scales(static_cast<std::size_t>(rows)),
        errors(scales.size()),
        screen{integers.data(), scales.data(), errors.data()} {
    eddy::screen_rows(table.data(), size, 0, rows / 2, screen);
    eddy::screen_rows(table.data(), size, rows / 2, rows, screen);
  }
};

struct Bounds {
  std::vector<float> upper;
  float lower;
};

Bounds bounds_of(const std::vector<float>& table, std::int64_t rows, std::int64_t size, std::vector<float> x,
                 const std::vector<float>& bias) {
  const Screened screened(table, rows, size);
  const float norm = eddy::screen_norm(x.data(), size);
  x.resize(static_cast<std::size_t>(eddy::screen_width(size)), 0.0F);
  Bounds bounds{std::vector<float>(static_cast<std::size_t>(rows)), 0};
  bounds.lower = eddy::screen_bounds(screened.screen, size, x.data(), norm, bias.data(), 0, rows, bounds.upper.data());
  return bounds;
}

std::vector<float> random_numbers(std::int64_t n, eddy::Philox& random, float range) {
  std::vector<float> x(static_cast<std::size_t>(n));
  for (float& value : x) value = eddy::uniform_float(random, -range, range);
  return x;
}

}  // namespace

TEST_CASE("products of a vector with a table lie below their bounds, and the largest not below the lower one") {
  eddy::Philox random(3);
  for (const std::int64_t size : {1, 2, 15, 16, 17, 64, 100, 512})
    for (const std::int64_t rows : {1, 3, 4, 30})
      for (const float range : {1.0F, 1e-12F, 1e-25F, 1e12F})
        for (const float x_range : {1.0F, 1e-20F, 1e15F}) {
          std::vector<float> table = random_numbers(rows * size, random, range);
          // One row is all zeros, one of a single large element.
          if (rows > 3) std::fill_n(table.begin() + size, size, 0.0F);
          table[0] *= 30;
          const std::vector<float> x = random_numbers(size, random, x_range),
                                   bias = random_numbers(rows, random, range * x_range);
          const Bounds bounds = bounds_of(table, rows, size, x, bias);
          double largest = -std::numeric_limits<double>::infinity();
          bool below = true;
          for (std::size_t row = 0; row < bias.size(); ++row) {
            double exact = bias[row], in_floats = bias[row];
            float sum = 0;
            for (std::size_t k = 0; k < x.size(); ++k) {
              exact += static_cast<double>(table[row * x.size() + k]) * static_cast<double>(x[k]);
              sum += table[row * x.size() + k] * x[k];
            }
            in_floats = static_cast<double>(sum + bias[row]);
            below = below && exact <= static_cast<double>(bounds.upper[row]) &&
                    in_floats <= static_cast<double>(bounds.upper[row]);
            largest = std::max({largest, exact, in_floats});
          }
          CAPTURE(size);
          CAPTURE(rows);
          CAPTURE(range);
          CAPTURE(x_range);
          CHECK(below);
          CHECK(static_cast<double>(bounds.lower) <= largest);
          // And they are of use: within some hundredths of the largest product there could be.
          if (range == 1.0F && x_range == 1.0F && size >= 64)
            for (std::size_t row = 1; row < bias.size(); ++row) {
              double exact = bias[row];
              for (std::size_t k = 0; k < x.size(); ++k)
                exact += static_cast<double>(table[row * x.size() + k]) * static_cast<double>(x[k]);
              CHECK(static_cast<double>(bounds.upper[row]) - exact <= 0.02 * static_cast<double>(size) / 3);
            }
        }
}

TEST_CASE("the bounds leave a few of a thousand random rows") {
  eddy::Philox random(4);
  const std::vector<float> table = random_numbers(1000 * 512, random, 0.1F), bias = random_numbers(1000, random, 0.1F);
  for (int i = 0; i < 10; ++i) {
    const Bounds bounds = bounds_of(table, 1000, 512, random_numbers(512, random, 1), bias);
    CHECK(std::ranges::count_if(bounds.upper, [&](float upper) { return upper >= bounds.lower; }) < 20);
  }
}

TEST_CASE("a row with an element that is no number, or a bias of infinity, is bounded by nothing wrong") {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  std::vector<float> table(5 * 20, 0.5F);
  table[20 + 3] = kNan;
  table[40 + 19] = kInfinity;
  const std::vector<float> x(20, 0.25F);
  const Bounds bounds = bounds_of(table, 5, 20, x, {0, 0, 0, -kInfinity, kNan});
  CHECK(bounds.upper[0] >= 2.5F);
  CHECK(bounds.upper[0] <= 2.6F);
  CHECK(!(bounds.upper[1] < kInfinity));
  CHECK(!(bounds.upper[2] < kInfinity));
  CHECK(bounds.upper[3] == -kInfinity);
  CHECK(std::isnan(bounds.upper[4]));
  CHECK(bounds.lower <= 2.5F);
  CHECK(bounds.lower >= 2.4F);
  CHECK(!std::isfinite(eddy::screen_norm(table.data(), 100)));
}
