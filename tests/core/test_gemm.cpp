// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <cmath>
#include <random>
#include <tuple>
#include <vector>

#include "eddy/core/error.h"
#include "eddy/core/gemm.h"
#include "eddy/core/onednn.h"
#include "eddy/core/packed_product.h"
#include "eddy/core/tensor.h"
#include "eddy/core/threads.h"
#include "eddy/core/tile_product.h"
#include "tests/support/largest.h"

namespace {

using eddy::Activation;
using eddy::Gemm;
using eddy::GemmConfig;

std::vector<float> random_values(std::size_t n, unsigned seed) {
  std::mt19937 generator(seed);
  std::uniform_real_distribution<float> uniform(-1.0F, 1.0F);
  std::vector<float> values(n);
  for (float& v : values) v = uniform(generator);
  return values;
}

struct Operands {
  GemmConfig config;
  std::vector<float> a, b, c, bias;
  explicit Operands(const GemmConfig& given) : config(given.resolved()) {
    const auto span = [](std::int64_t rows, std::int64_t ld, std::int64_t batch, std::int64_t stride) {
      return static_cast<std::size_t>(rows * ld + std::max<std::int64_t>(batch - 1, 0) * stride);
    };
    a = random_values(span(config.transpose_a ? config.k : config.m, config.lda, config.batch, config.stride_a), 1);
    b = random_values(span(config.transpose_b ? config.n : config.k, config.ldb, config.batch, config.stride_b), 2);
    c = random_values(span(config.m, config.ldc, config.batch, config.stride_c), 3);
    bias = random_values(static_cast<std::size_t>(config.n), 4);
  }

  std::vector<float> expected() const {
    std::vector<float> result = c;
    for (std::int64_t item = 0; item < config.batch; ++item)
      for (std::int64_t i = 0; i < config.m; ++i)
        for (std::int64_t j = 0; j < config.n; ++j) {
          const auto at = static_cast<std::size_t>(item * config.stride_c + i * config.ldc + j);
          double sum = config.has_bias ? bias[static_cast<std::size_t>(j)] : 0.0F;
          if (config.accumulate) sum += c[at];
          for (std::int64_t k = 0; k < config.k; ++k) {
            const std::int64_t ia = config.transpose_a ? k * config.lda + i : i * config.lda + k;
            const std::int64_t ib = config.transpose_b ? j * config.ldb + k : k * config.ldb + j;
            sum += double{a[static_cast<std::size_t>(item * config.stride_a + ia)]} *
                   b[static_cast<std::size_t>(item * config.stride_b + ib)];
          }
          switch (config.activation) {
            case Activation::none:
              break;
            case Activation::relu:
              sum = std::max(sum, 0.0);
              break;
            case Activation::tanh:
              sum = std::tanh(sum);
              break;
            case Activation::sigmoid:
              sum = 1 / (1 + std::exp(-sum));
              break;
          }
          result[at] = static_cast<float>(sum);
        }
    return result;
  }

  std::vector<float> computed() const {
    const Gemm gemm(config);
    const eddy::Tensor scratch(eddy::f32, {static_cast<std::int64_t>(gemm.scratch_bytes() / sizeof(float)) + 1});
    std::vector<float> result = c;
    gemm.run(a.data(), b.data(), result.data(), bias.data(), scratch.data());
    return result;
  }

  /// Everything C holds is compared, so writes between rows show too.
  void check(const std::vector<float>& result) const {
    INFO(eddy::to_string(config));
    CHECK(eddy::test::largest_difference(result, expected()) <=
          2e-6 * std::sqrt(static_cast<double>(config.k) + 1) + 1e-6);
  }
};

GemmConfig sized(std::int64_t m, std::int64_t n, std::int64_t k) {
  GemmConfig config;
  config.m = m;
  config.n = n;
  config.k = k;
  return config;
}

}  // namespace

TEST_CASE("products of all sizes and transposes match double") {
  const std::int64_t sizes[][3] = {{1, 1, 1},     {1, 17, 5},      {5, 1, 9},        {2, 3, 4},      {6, 64, 8},
                                   {7, 65, 9},    {3, 80, 20},     {16, 80, 20},     {13, 31, 47},   {1, 300, 200},
                                   {4, 300, 200}, {5, 129, 513},   {9, 64, 64},      {64, 20, 51},   {20, 15, 1},
                                   {150, 70, 33}, {33, 260, 600},  {9, 1030, 40},    {0, 4, 4},      {4, 0, 4},
                                   {4, 4, 0},     {290, 200, 530}, {290, 1, 900},    {70, 1, 33},    {40, 33, 1},
                                   {3, 1, 1},     {2, 301, 70},    {100, 1100, 140}, {600, 130, 129}};
  for (const auto& s : sizes)
    for (const bool transpose_a : {false, true})
      for (const bool transpose_b : {false, true}) {
        GemmConfig config = sized(s[0], s[1], s[2]);
        config.transpose_a = transpose_a;
        config.transpose_b = transpose_b;
        const Operands operands(config);
        operands.check(operands.computed());
      }
}

TEST_CASE("bias, accumulation, activation, wide rows and batches") {
  unsigned variant = 0;
  for (const Activation activation : {Activation::none, Activation::relu, Activation::tanh, Activation::sigmoid})
    for (const bool accumulate : {false, true})
      for (const std::int64_t m : {2, 11, 40, 170})
        for (const std::int64_t k : {0, 30, 700}) {
          GemmConfig config = sized(m, 75, k);
          ++variant;
          config.transpose_a = variant % 2 != 0;
          config.transpose_b = variant % 3 == 0;
          config.has_bias = variant % 5 != 0;
          config.activation = activation;
          config.accumulate = accumulate;
          config.lda = 703;
          config.ldb = 711;
          config.ldc = 77;
          if (variant % 2 == 0) {
            config.batch = 3;
            config.stride_a = variant % 4 == 0 ? 0 : 703 * 700;
            config.stride_b = 711 * 703;
            config.stride_c = 77 * m + 5;
          }
          const Operands operands(config);
          operands.check(operands.computed());
        }
}

TEST_CASE("long sums keep their digits, however few rows or columns there are") {
  const std::int64_t k = 200'000;
  for (const std::int64_t m : {1, 4, 12})
    for (const std::int64_t n : {1, 16})
      for (const bool transpose_a : {false, true})
        for (const bool transpose_b : {false, true}) {
          GemmConfig config = sized(m, n, k);
          config.transpose_a = transpose_a;
          config.transpose_b = transpose_b;
          const std::vector<float> a(static_cast<std::size_t>(m * k), 0.1F), b(static_cast<std::size_t>(n * k), 1.0F);
          std::vector<float> c(static_cast<std::size_t>(m * n));
          const Gemm gemm(config);
          const eddy::Tensor scratch(eddy::f32, {static_cast<std::int64_t>(gemm.scratch_bytes() / sizeof(float)) + 1});
          gemm.run(a.data(), b.data(), c.data(), nullptr, scratch.data());
          INFO(eddy::to_string(config));
          for (const float sum : c) CHECK(sum == doctest::Approx(20000).epsilon(2e-5));
        }
}

TEST_CASE("bits do not depend on the number of threads") {
  const int before = eddy::num_threads();
  for (const bool transpose_b : {false, true})
    for (const std::int64_t m : {3, 70, 400}) {
      GemmConfig config = sized(m, 513, 1100);
      config.transpose_b = transpose_b;
      config.transpose_a = m == 400;
      const Operands operands(config);
      eddy::set_num_threads(1);
      const std::vector<float> one = operands.computed();
      for (const int threads : {2, 3}) {
        eddy::set_num_threads(threads);
        CHECK(operands.computed() == one);
      }
    }
  eddy::set_num_threads(before);
}

TEST_CASE("products of fewer bits, in one pass over the depth and in several") {
  if (!eddy::tiles::available()) return;
  for (const std::int64_t k : {300, 530, 1100})
    for (const bool transpose_a : {false, true})
      for (const bool transpose_b : {false, true}) {
        GemmConfig config = sized(150, 210, k);
        config.transpose_a = transpose_a;
        config.transpose_b = transpose_b;
        const Operands full(config);
        for (const auto& [precision, least, most] : {std::tuple{eddy::Precision::medium, 1e-4, 4e-3},
                                                     {eddy::Precision::high, 1e-7, 3e-5},
                                                     {eddy::Precision::highest, 0.0, 5e-7}}) {
          config.precision = precision;
          Operands operands = full;
          operands.config = config.resolved();
          const std::vector<float> found = operands.computed(), wanted = operands.expected();
          REQUIRE(Gemm(config).method() == eddy::GemmMethod::tiles);
          double largest = 0;
          for (std::size_t i = 0; i < found.size(); ++i)
            largest =
                std::max(largest, std::abs(double{found[i]} - double{wanted[i]}) / std::sqrt(static_cast<double>(k)));
          INFO(eddy::to_string(config));
          CHECK(largest > least);
          CHECK(largest < most);
        }
      }
}

TEST_CASE("products with a packed operand, whatever the number of threads") {
  const int before = eddy::num_threads();
  for (const bool transpose_b : {false, true})
    for (const std::int64_t m : {1, 7, 70})
      for (const auto& [n, k] :
           {std::pair<std::int64_t, std::int64_t>{5, 3}, {130, 64}, {67, 1100}, {1030, 33}, {40, 0}}) {
        const Operands operands({.m = m, .n = n, .k = k, .transpose_b = transpose_b, .has_bias = true});
        std::vector<float> one;
        for (const int threads : {1, 2, 3}) {
          eddy::set_num_threads(threads);
          const eddy::PackedProduct product(m, n, k, transpose_b);
          const eddy::Tensor packed(eddy::f32, {static_cast<std::int64_t>(product.packed_bytes() / sizeof(float))});
          product.pack(operands.b.data(), packed.data());
          std::vector<float> computed(operands.c);
          product.run(operands.a.data(), packed.data(), operands.bias.data(), computed.data());
          if (threads == 1) {
            operands.check(computed);
            one = computed;
          } else {
            CHECK(computed == one);
          }

          // Of some rows: those, with the same bits, and no others.
          std::vector<std::int32_t> rows;
          for (std::int64_t row = 0; row < m; ++row)
            if (row % 3 != 1) rows.push_back(static_cast<std::int32_t>(row));
          std::vector<float> some(operands.c), want(operands.c);
          for (const std::int32_t row : rows) std::copy_n(one.data() + row * n, n, want.data() + row * n);
          product.run_rows(operands.a.data(), packed.data(), operands.bias.data(), some.data(), rows);
          CHECK(some == want);
        }
      }
  eddy::set_num_threads(before);
}

TEST_CASE("oneDNN's matmul agrees, packed and plain") {
  for (const bool packed : {false, true})
    for (const std::int64_t batch : {1, 3}) {
      GemmConfig config = sized(20, 70, 90);
      config.transpose_b = true;
      config.has_bias = true;
      config.accumulate = true;
      config.activation = Activation::tanh;
      config.lda = 96;
      config.ldc = 71;
      if (batch > 1) {
        config.batch = batch;
        config.stride_a = 96 * 20;
        config.stride_b = packed ? 70 * 90 : 0;
        config.stride_c = 71 * 20;
      }
      const Operands operands(config);
      eddy::DnnlMatmul matmul(config, packed);
      const auto floats = [](std::size_t bytes) { return static_cast<std::int64_t>(bytes / sizeof(float)) + 1; };
      const eddy::Tensor scratch(eddy::f32, {floats(matmul.scratch_bytes())});
      const eddy::Tensor packed_b(eddy::f32, {floats(matmul.packed_b_bytes())});
      const float* b = operands.b.data();
      if (packed) {
        matmul.pack_b(b, static_cast<float*>(packed_b.data()));
        b = static_cast<const float*>(packed_b.data());
      }
      std::vector<float> result = operands.c;
      matmul.run(operands.a.data(), b, result.data(), operands.bias.data(), scratch.data());
      operands.check(result);
    }
}

TEST_CASE("impossible configurations are refused with their values") {
  GemmConfig config = sized(4, 5, 6);
  config.lda = 3;
  CHECK_THROWS_WITH_AS(Gemm{config}, "gemm leading dimension of A is 3, but its rows hold 6 elements", eddy::Error);
  CHECK_THROWS_AS(Gemm{sized(-1, 2, 3)}, eddy::Error);
  config = sized(4, 5, 6);
  config.batch = 2;
  CHECK_THROWS_AS(Gemm{config}, eddy::Error);
}
