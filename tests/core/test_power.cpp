// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "eddy/core/power.h"
#include "eddy/core/random.h"

namespace {

double units_in_last_place(float got, double want) {
  const float nearest = std::abs(static_cast<float>(want));
  const double unit = static_cast<double>(std::nextafter(nearest, std::numeric_limits<float>::infinity())) -
                      static_cast<double>(nearest);
  return std::abs(static_cast<double>(got) - want) / unit;
}

}  // namespace

TEST_CASE("powers of any positive float, with results over the whole range of floats, to one and a half units") {
  eddy::Philox random(5);
  std::vector<float> base(100'000), exponent(base.size()), power(base.size());
  for (std::size_t i = 0; i < base.size(); ++i) {
    base[i] = std::bit_cast<float>(static_cast<std::uint32_t>(eddy::uniform_index(random, 0x7F800000)));
    if (i % 2 == 0) base[i] = eddy::uniform_float(random, 0.1F, 4);
    const double size = std::max(1e-3, std::abs(std::log2(static_cast<double>(base[i]))));
    exponent[i] = static_cast<float>(static_cast<double>(eddy::uniform_float(random, -1, 1)) * 155 / size);
  }
  eddy::vector_pow(base.data(), 1, exponent.data(), 1, power.data(), static_cast<std::int64_t>(base.size()));
  for (std::size_t i = 0; i < base.size(); ++i) {
    CAPTURE(base[i]);
    CAPTURE(exponent[i]);
    const double want = std::pow(static_cast<double>(base[i]), static_cast<double>(exponent[i]));
    if (std::isinf(static_cast<float>(want)))
      CHECK(std::isinf(power[i]));
    else
      CHECK(units_in_last_place(power[i], want) < 1.5);
  }
}

TEST_CASE("special cases of a power are those of C, at any place and number of elements") {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> special = {0,          -0.0F, 1, -1,    2,      -2,    0.5F, kInfinity,
                                      -kInfinity, kNan,  3, -3.0F, 1e-40F, 1e38F, 2.5F};
  std::vector<float> base, exponent;
  for (const float x : special)
    for (const float y : special) {
      base.push_back(x);
      exponent.push_back(y);
    }
  const auto check_same = [](float got, float x, float y) {
    CAPTURE(x);
    CAPTURE(y);
    const float want = std::pow(x, y);
    CHECK(std::isnan(got) == std::isnan(want));
    if (std::isnan(want)) return;
    CHECK(std::signbit(got) == std::signbit(want));
    if (got != want) CHECK(units_in_last_place(got, static_cast<double>(want)) < 1.1);
  };
  const auto all = static_cast<std::int64_t>(base.size());
  for (std::int64_t n = 0; n <= all; n += n < 40 ? 1 : 37) {
    std::vector<float> power(base.size() + 1, 7);
    eddy::vector_pow(base.data() + (all - n), 1, exponent.data() + (all - n), 1, power.data(), n);
    for (std::int64_t i = 0; i < n; ++i)
      check_same(power[static_cast<std::size_t>(i)], base[static_cast<std::size_t>(all - n + i)],
                 exponent[static_cast<std::size_t>(all - n + i)]);
    CHECK(power[static_cast<std::size_t>(n)] == 7);
  }
  // One number for all, and in place.
  const auto count = static_cast<std::int64_t>(special.size());
  for (const float one : special) {
    std::vector<float> powers = special, bases = special;
    eddy::vector_pow(&one, 0, powers.data(), 1, powers.data(), count);
    eddy::vector_pow(bases.data(), 1, &one, 0, bases.data(), count);
    for (std::size_t i = 0; i < special.size(); ++i) {
      check_same(powers[i], one, special[i]);
      check_same(bases[i], special[i], one);
    }
  }
  for (std::int64_t n = 0; n <= count; ++n)
    for (const bool inverse : {false, true}) {
      std::vector<float> powers = special;
      eddy::vector_pow_half(powers.data(), inverse, powers.data(), n);
      for (std::size_t i = 0; i < static_cast<std::size_t>(n); ++i)
        check_same(powers[i], special[i], inverse ? -0.5F : 0.5F);
      for (std::size_t i = static_cast<std::size_t>(n); i < special.size(); ++i)
        CHECK(std::bit_cast<std::uint32_t>(powers[i]) == std::bit_cast<std::uint32_t>(special[i]));
    }
}
