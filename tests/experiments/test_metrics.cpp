// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <cmath>

#include "eddy/core/error.h"
#include "eddy/experiments/metrics.h"

namespace eddy {
namespace {

using Labels = std::vector<std::int32_t>;

TEST_CASE("mean and sample deviation") {
  const Summary summary = summarize(std::vector<double>{2, 4, 4, 4, 5, 5, 7, 9});
  CHECK(summary.mean == doctest::Approx(5));
  CHECK(summary.deviation == doctest::Approx(std::sqrt(32.0 / 7)));
  CHECK(summary.count == 8);
  CHECK(summarize(std::vector<double>{3}).deviation == 0);
  CHECK(summarize(std::vector<double>{}).count == 0);
  // A large offset must not eat the digits.
  CHECK(summarize(std::vector<double>{1e9 + 1, 1e9 + 2, 1e9 + 3}).deviation == doctest::Approx(1));
}

TEST_CASE("confusion matrix") {
  ConfusionMatrix matrix(4);
  CHECK(matrix.accuracy() == 0);
  CHECK(matrix.macro_f1() == 0);
  matrix.add(Labels{0, 0, 0, 1, 1, 2}, Labels{0, 0, 1, 1, 0, 1});
  CHECK(matrix.total() == 6);
  CHECK(matrix.count(0, 1) == 1);
  CHECK(matrix.count(1, 0) == 1);
  CHECK(matrix.accuracy() == doctest::Approx(0.5));
  CHECK(matrix.precision(1) == doctest::Approx(1.0 / 3));
  CHECK(matrix.recall(1) == doctest::Approx(0.5));
  CHECK(matrix.f1(1) == doctest::Approx(0.4));
  CHECK(matrix.f1(2) == 0);
  CHECK(matrix.precision(3) == 0);
  // Label 3 never occurs and is left out.
  CHECK(matrix.macro_f1() == doctest::Approx((2.0 / 3 + 0.4 + 0) / 3));
  CHECK(matrix.row_shares()[0] == doctest::Approx(2.0 / 3));
  CHECK(matrix.row_shares()[15] == 0);
  CHECK_THROWS_AS(matrix.add(4, 0), UsageError);
  CHECK_THROWS_AS(matrix.add(0, -1), UsageError);
  CHECK_THROWS_AS(ConfusionMatrix(0), UsageError);
}

}  // namespace
}  // namespace eddy
