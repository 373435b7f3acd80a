// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "eddy/core/threads.h"
#include "eddy/graph/initializer.h"
#include "tests/support/largest.h"

using eddy::Philox;
using eddy::Shape;
using eddy::Tensor;

namespace {

Tensor orthogonal_weight(const Shape& shape, float gain, int blocks) {
  const Tensor weight(eddy::f32, shape);
  Philox random(5);
  eddy::orthogonal(gain, blocks)(weight, random);
  return weight;
}

/// The largest distance of a product of two rows, or of two columns, of a block from gain^2 times the unit matrix.
double worst_product(const Tensor& weight, std::int64_t block, std::int64_t columns, double gain) {
  const float* values = weight.values<float>().data() + block * columns;
  const std::int64_t rows = weight.shape()[0], ld = weight.shape()[1];
  const bool wide = rows <= columns;
  const auto at = [&](std::int64_t vector, std::int64_t i) {
    return double{wide ? values[vector * ld + i] : values[i * ld + vector]};
  };
  double worst = 0;
  for (std::int64_t i = 0; i < std::min(rows, columns); ++i)
    for (std::int64_t j = 0; j <= i; ++j) {
      double sum = i == j ? -gain * gain : 0;
      for (std::int64_t k = 0; k < std::max(rows, columns); ++k) sum += at(i, k) * at(j, k);
      worst = eddy::test::larger(worst, std::fabs(sum));
    }
  return worst;
}

}  // namespace

TEST_CASE("orthogonal weights are, block by block, and do not depend on the number of threads") {
  for (const auto& [rows, columns] : {std::pair<std::int64_t, std::int64_t>{64, 64}, {20, 45}, {130, 33}}) {
    const Tensor weight = orthogonal_weight({rows, 4 * columns}, 1.5F, 4);
    for (std::int64_t block = 0; block < 4; ++block) {
      CAPTURE(weight.shape()[0]);
      CAPTURE(block);
      CHECK(worst_product(weight, block, columns, 1.5) < 1e-5);
    }
    const int threads = eddy::num_threads();
    eddy::set_num_threads(3);
    const Tensor again = orthogonal_weight({rows, 4 * columns}, 1.5F, 4);
    eddy::set_num_threads(threads);
    CHECK(std::ranges::equal(weight.values<float>(), again.values<float>()));
  }
}

TEST_CASE("uniform weights keep to the limit of Glorot and Bengio, a bias to its block") {
  const Tensor weight(eddy::f32, {30, 4 * 20});
  Philox random(5);
  eddy::glorot_uniform(4)(weight, random);
  const float limit = std::sqrt(6.0F / 50);
  const auto values = weight.values<float>();
  CHECK(*std::ranges::max_element(values) <= limit);
  CHECK(*std::ranges::max_element(values) > 0.95F * limit);
  CHECK(*std::ranges::min_element(values) >= -limit);
  CHECK(*std::ranges::min_element(values) < -0.95F * limit);

  const Tensor bias(eddy::f32, {6});
  eddy::block_bias(1, 3, 2.5F)(bias, random);
  CHECK(std::ranges::equal(bias.values<float>(), std::array{0.0F, 0.0F, 2.5F, 2.5F, 0.0F, 0.0F}));
}
