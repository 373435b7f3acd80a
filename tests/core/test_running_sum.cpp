// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "eddy/core/random.h"
#include "eddy/core/running_sum.h"

namespace {

using eddy::RunningSum;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

std::vector<double> sums_of(const std::vector<float>& x, bool from_end, RunningSum kind) {
  std::vector<double> result(x.size());
  double sum = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const std::size_t at = from_end ? x.size() - 1 - i : i;
    const double before = sum;
    sum += x[at];
    result[at] = kind == RunningSum::exclusive ? before : sum;
  }
  return result;
}

std::vector<float> numbers(std::size_t n, eddy::Philox& random) {
  std::vector<float> x(n);
  for (float& value : x) value = static_cast<float>(eddy::uniform_index(random, 2000)) / 7 - 140;
  return x;
}

}  // namespace

TEST_CASE("running sums of every length, in both directions, with and without the element, in place") {
  eddy::Philox random(1);
  for (std::size_t n = 0; n < 60; ++n)
    for (const bool from_end : {false, true})
      for (const RunningSum kind : {RunningSum::inclusive, RunningSum::exclusive}) {
        std::vector<float> x = numbers(n, random);
        const std::vector<double> want = sums_of(x, from_end, kind);
        x.push_back(42);
        std::vector<float> out(n + 1, 42);
        const auto function = from_end ? eddy::vector_running_sum_from_end : eddy::vector_running_sum;
        function(x.data(), out.data(), static_cast<std::int64_t>(n), kind);
        function(x.data(), x.data(), static_cast<std::int64_t>(n), kind);
        CHECK(x == out);
        CHECK(out[n] == 42);
        for (std::size_t i = 0; i < n; ++i) CHECK(out[i] == static_cast<float>(want[i]));
      }
}

TEST_CASE("running sums of columns, forwards and backwards") {
  eddy::Philox random(2);
  for (const std::int64_t cols : {1, 7, 8, 29, 600})
    for (const bool from_end : {false, true})
      for (const RunningSum kind : {RunningSum::inclusive, RunningSum::exclusive}) {
        const std::int64_t rows = 9, stride = cols + 3, start = from_end ? (rows - 1) * stride : 0;
        const std::vector<float> x = numbers(static_cast<std::size_t>(rows * stride), random);
        std::vector<float> out = x;
        eddy::running_sum_columns(out.data() + start, out.data() + start, rows, from_end ? -stride : stride, cols,
                                  kind);
        for (std::int64_t c = 0; c < stride; ++c) {
          std::vector<float> column;
          for (std::int64_t r = 0; r < rows; ++r) column.push_back(x[static_cast<std::size_t>(r * stride + c)]);
          const std::vector<double> want = sums_of(column, from_end, kind);
          for (std::size_t r = 0; r < column.size(); ++r) {
            const float got = out[r * static_cast<std::size_t>(stride) + static_cast<std::size_t>(c)];
            CHECK(got == (c < cols ? static_cast<float>(want[r]) : column[r]));
          }
        }
      }
}

TEST_CASE("long running sums are as good as rounding lets them be, and infinities pass on from where they are") {
  const std::size_t n = 1'000'003;
  std::vector<float> x(n, 0.1F);
  eddy::vector_running_sum(x.data(), x.data(), static_cast<std::int64_t>(n), RunningSum::inclusive);
  for (std::size_t i = 0; i < n; i += 1001)
    CHECK(x[i] == static_cast<float>(double{0.1F} * static_cast<double>(i + 1)));
  std::vector<float> y(40, 1.0F);
  y[11] = kInfinity;
  y[30] = -kInfinity;
  eddy::vector_running_sum(y.data(), y.data(), 40, RunningSum::exclusive);
  CHECK(y[11] == 11);
  CHECK(y[12] == kInfinity);
  CHECK(y[30] == kInfinity);
  CHECK(std::isnan(y[31]));
}
