// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "eddy/core/math.h"
#include "eddy/core/threads.h"
#include "tests/support/largest.h"

namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

using Kernel = void (*)(const float*, float*, std::int64_t);
using Reference = double (*)(double);

/// Every `step`-th float bit pattern, both signs: normals, denormals, infinities and NaN.
std::vector<float> whole_range(std::uint32_t step) {
  std::vector<float> values;
  for (std::uint64_t bits = 0; bits < (std::uint64_t{1} << 32); bits += step)
    values.push_back(std::bit_cast<float>(static_cast<std::uint32_t>(bits)));
  for (const float special : {0.0F, -0.0F, kInf, -kInf, kNan, 1.0F, -1.0F, 88.72F, -87.4F, -103.9F, 1e-45F, 1.17e-38F})
    values.push_back(special);
  return values;
}

double ulp_of(double exact) {
  const double magnitude = std::max(std::fabs(exact), static_cast<double>(std::numeric_limits<float>::min()));
  return std::ldexp(1.0, std::ilogb(magnitude) - 23);
}

/// Largest error in ulp; mismatching infinities and NaN count as huge.
double largest_error(Kernel kernel, Reference reference) {
  const std::vector<float> in = whole_range(4099);
  std::vector<float> out(in.size());
  kernel(in.data(), out.data(), static_cast<std::int64_t>(in.size()));
  double worst = 0;
  for (std::size_t i = 0; i < in.size(); ++i) {
    const double exact = reference(static_cast<double>(in[i]));
    const auto rounded = static_cast<float>(exact);
    double error = 0;
    if (std::isnan(rounded) || std::isinf(rounded)) {
      const bool same = std::isnan(rounded) ? std::isnan(out[i]) : out[i] == rounded;
      error = same ? 0 : 1e9;
    } else {
      error = std::isfinite(out[i]) ? std::fabs(static_cast<double>(out[i]) - exact) / ulp_of(exact) : 1e9;
    }
    if (error > worst) worst = error;
    if (error > 100) {
      INFO("argument ", in[i], " gave ", out[i], ", exact ", exact);
      CHECK(error <= 100);
      break;
    }
  }
  return worst;
}

double softplus(double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::fabs(x))); }

std::vector<float> ramp(std::int64_t n, float scale, float offset) {
  std::vector<float> values(static_cast<std::size_t>(n));
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = offset + scale * static_cast<float>((i * 7919) % 101) / 101.0F;
  return values;
}

}  // namespace

TEST_CASE("elementary functions keep their documented error over the whole range") {
  CHECK(largest_error(eddy::vector_exp, [](double x) { return std::exp(x); }) <= 2);
  CHECK(largest_error(eddy::vector_log, [](double x) { return std::log(x); }) <= 2);
  CHECK(largest_error(eddy::vector_expm1, [](double x) { return std::expm1(x); }) <= 2);
  CHECK(largest_error(eddy::vector_log1p, [](double x) { return std::log1p(x); }) <= 2);
  CHECK(largest_error(eddy::vector_softplus, softplus) <= 3);
  CHECK(largest_error(eddy::vector_sin, [](double x) { return std::sin(x); }) <= 2);
  CHECK(largest_error(eddy::vector_cos, [](double x) { return std::cos(x); }) <= 2);
  CHECK(largest_error(eddy::vector_tanh, [](double x) { return std::tanh(x); }) <= 4);
  CHECK(largest_error(eddy::vector_sigmoid, [](double x) { return 1 / (1 + std::exp(-x)); }) <= 4);
  CHECK(largest_error(eddy::vector_erf, [](double x) { return std::erf(x); }) <= 4);
  CHECK(largest_error(eddy::vector_sqrt, [](double x) { return std::sqrt(x); }) <= 0.5);
  CHECK(largest_error(eddy::vector_floor, [](double x) { return std::floor(x); }) == 0);
  CHECK(largest_error(eddy::vector_ceil, [](double x) { return std::ceil(x); }) == 0);
  CHECK(largest_error(eddy::vector_round, [](double x) { return std::nearbyint(x); }) == 0);
  CHECK(largest_error(eddy::vector_relu, [](double x) { return std::isnan(x) ? x : std::max(x, 0.0); }) == 0);
}

TEST_CASE("gelu and its gradient match double") {
  const std::vector<float> x = ramp(1001, 20.0F, -10.0F), ones(1001, 1.0F);
  std::vector<float> y(1001), dx(1001);
  eddy::vector_gelu(x.data(), y.data(), 1001);
  eddy::vector_gelu_gradient(ones.data(), x.data(), dx.data(), 1001);
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double t = x[i], cdf = 0.5 * (1 + std::erf(t / std::sqrt(2.0)));
    CHECK(std::fabs(y[i] - t * cdf) <= 2e-7 * std::max(1.0, std::fabs(t)));
    CHECK(std::fabs(dx[i] - (cdf + t * std::exp(-t * t / 2) / std::sqrt(2 * M_PI))) <= 1e-6);
  }
}

TEST_CASE("gelu by tanh and its gradient match double") {
  const std::vector<float> x = ramp(1001, 20.0F, -10.0F), ones(1001, 1.0F);
  std::vector<float> y(1001), dx(1001);
  eddy::vector_gelu_tanh(x.data(), y.data(), 1001);
  eddy::vector_gelu_tanh_gradient(ones.data(), x.data(), dx.data(), 1001);
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double v = x[i], root = std::sqrt(2 / M_PI), t = std::tanh(root * (v + 0.044715 * v * v * v));
    CHECK(std::fabs(y[i] - v / 2 * (1 + t)) <= 2e-7 * std::max(1.0, std::fabs(v)));
    const double slope = (1 + t) / 2 + v / 2 * (1 - t * t) * root * (1 + 3 * 0.044715 * v * v);
    CHECK(std::fabs(dx[i] - slope) <= 1e-6);
  }
}

TEST_CASE("arithmetic kernels work at every length and in place") {
  for (std::int64_t n = 0; n <= 70; ++n) {
    const std::vector<float> a = ramp(n, 4.0F, -2.0F), b = ramp(n, 3.0F, 0.5F);
    const auto size = static_cast<std::size_t>(n);
    // One element more than written: it must keep its value.
    const auto check = [&](auto kernel, auto expected) {
      std::vector<float> out(a);
      out.push_back(42.0F);
      kernel(out.data(), b.data(), out.data(), n);
      for (std::size_t i = 0; i < size; ++i) CHECK(out[i] == doctest::Approx(expected(a[i], b[i])).epsilon(1e-6));
      CHECK(out[size] == 42.0F);
    };
    check(eddy::vector_add, [](float x, float y) { return x + y; });
    check(eddy::vector_sub, [](float x, float y) { return x - y; });
    check(eddy::vector_mul, [](float x, float y) { return x * y; });
    check(eddy::vector_div, [](float x, float y) { return x / y; });
    check(eddy::vector_max, [](float x, float y) { return std::max(x, y); });
    check(eddy::vector_min, [](float x, float y) { return std::min(x, y); });
    check(eddy::vector_tanh_gradient, [](float dy, float y) { return dy * (1 - y * y); });
    check(eddy::vector_sigmoid_gradient, [](float dy, float y) { return dy * y * (1 - y); });
    check(eddy::vector_relu_gradient, [](float dy, float y) { return y <= 0 ? 0.0F : dy; });
    std::vector<float> out(b);
    eddy::vector_axpy(1.5F, a.data(), out.data(), n);
    for (std::size_t i = 0; i < size; ++i) CHECK(out[i] == doctest::Approx(b[i] + 1.5F * a[i]).epsilon(1e-6));
    out = b;
    eddy::vector_mul_add(a.data(), b.data(), out.data(), n);
    for (std::size_t i = 0; i < size; ++i) CHECK(out[i] == doctest::Approx(b[i] + a[i] * b[i]).epsilon(1e-5));
    double sum = 0, dot = 0;
    float largest = -kInf, smallest = kInf;
    for (std::size_t i = 0; i < size; ++i) {
      sum += a[i];
      dot += double{a[i]} * b[i];
      largest = std::max(largest, a[i]);
      smallest = std::min(smallest, a[i]);
    }
    CHECK(std::fabs(eddy::vector_sum(a.data(), n) - sum) < 1e-4);
    CHECK(std::fabs(eddy::vector_dot(a.data(), b.data(), n) - dot) < 1e-4);
    CHECK(eddy::vector_max_value(a.data(), n) == largest);
    CHECK(eddy::vector_min_value(a.data(), n) == smallest);
  }
}

TEST_CASE("a comparison of the tests lets no NaN pass, wherever it is, nor a missing element") {
  const std::vector<float> zeros(3, 0.0F);
  CHECK(eddy::test::largest_difference(std::vector<float>{1, -3, 2}, zeros) == 3);
  for (std::size_t i = 0; i < 3; ++i) {
    std::vector<float> values{1, 2, 3};
    values[i] = kNan;
    CHECK(std::isnan(eddy::test::largest_difference(values, zeros)));
    CHECK(std::isnan(eddy::test::largest_difference(zeros, values)));
    CHECK(std::isnan(eddy::test::largest_magnitude(values)));
  }
  CHECK(std::isnan(eddy::test::largest_difference(zeros, std::vector<float>{0, 0})));
}

TEST_CASE("maximum and minimum pass NaN on, whichever operand it is in") {
  const float a[] = {kNan, 1.0F}, b[] = {1.0F, kNan};
  float out[2];
  eddy::vector_max(a, b, out, 2);
  CHECK((std::isnan(out[0]) && std::isnan(out[1])));
  eddy::vector_min(a, b, out, 2);
  CHECK((std::isnan(out[0]) && std::isnan(out[1])));
  std::vector<float> row(33, 1.0F);
  row[20] = kNan;
  CHECK(std::isnan(eddy::vector_max_value(row.data(), 33)));
  CHECK(std::isnan(eddy::vector_min_value(row.data(), 33)));
}

TEST_CASE("a long sum stays accurate") {
  const std::vector<float> values(3'000'000, 0.1F);
  CHECK(eddy::vector_sum(values.data(), 3'000'000) == doctest::Approx(3e6 * double{0.1F}).epsilon(1e-6));
}

TEST_CASE("softmax rows: values, shift, huge logits, gradient") {
  for (const std::int64_t n : {1, 2, 15, 16, 17, 1000}) {
    const std::vector<float> x = ramp(n, 10.0F, 995.0F);
    std::vector<float> y(x.size()), z(x.size()), scaled(x.size());
    eddy::softmax_row(x.data(), y.data(), n);
    double sum = 0;
    for (const float v : x) sum += std::exp(double{v} - 1000);
    CHECK(eddy::log_sum_exp(x.data(), n) == doctest::Approx(1000 + std::log(sum)).epsilon(1e-7));
    eddy::log_softmax_row(x.data(), z.data(), n);
    const eddy::ExpSum parts = eddy::exp_sum(x.data(), n);
    eddy::exp_shifted_scaled(x.data(), parts.reference, static_cast<float>(0.5 / parts.sum), scaled.data(), n);
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double p = std::exp(double{x[i]} - 1000) / sum;
      CHECK(y[i] == doctest::Approx(p).epsilon(1e-6));
      CHECK(std::fabs(z[i] - std::log(p)) <= 2e-6);
      CHECK(scaled[i] == doctest::Approx(0.5 * p).epsilon(1e-6));
    }
    const std::vector<float> dy = ramp(n, 1.0F, -0.3F);
    double dot = 0;
    for (std::size_t i = 0; i < x.size(); ++i) dot += double{dy[i]} * y[i];
    std::vector<float> dx(x.size());
    eddy::softmax_row_gradient(dy.data(), y.data(), dx.data(), n);
    for (std::size_t i = 0; i < x.size(); ++i) CHECK(std::fabs(dx[i] - y[i] * (dy[i] - dot)) < 1e-6);
  }
  const float infinite[] = {-kInf, -kInf};
  CHECK(eddy::log_sum_exp(infinite, 2) == -kInf);
  const float partly[] = {-kInf, 3.0F};
  CHECK(eddy::log_sum_exp(partly, 2) == 3.0F);
}

TEST_CASE("softmax rows whose largest element comes late") {
  const std::int64_t n = 2000;
  for (const float late : {-50.0F, 3.0F, 7.9F, 8.5F, 40.0F, 300.0F, 1e30F}) {
    for (const std::int64_t at : {std::int64_t{511}, std::int64_t{512}, n - 1}) {
      CAPTURE(late);
      CAPTURE(at);
      std::vector<float> x = ramp(n, 4.0F, -2.0F);
      x[static_cast<std::size_t>(at)] = late;
      const double largest = *std::max_element(x.begin(), x.end());
      double sum = 0;
      for (const float v : x) sum += std::exp(double{v} - largest);
      std::vector<float> y(x.size()), in_place = x, z(x.size());
      eddy::softmax_row(x.data(), y.data(), n);
      CHECK(eddy::log_sum_exp(x.data(), n) == doctest::Approx(largest + std::log(sum)).epsilon(1e-6));
      eddy::log_softmax_row(x.data(), z.data(), n);
      eddy::softmax_row(in_place.data(), in_place.data(), n);
      CHECK(in_place == y);
      for (std::size_t i = 0; i < x.size(); ++i) {
        const double p = std::exp(double{x[i]} - largest) / sum;
        if (p > 1e-30) CHECK(y[i] == doctest::Approx(p).epsilon(2e-6));
        CHECK(z[i] == doctest::Approx(double{x[i]} - largest - std::log(sum)).epsilon(1e-6));
      }
    }
  }
  for (const float special : {kInf, kNan})
    for (const std::size_t at : {std::size_t{3}, std::size_t{1500}}) {
      std::vector<float> x(static_cast<std::size_t>(n), 1.0F), y(x.size());
      x[at] = special;
      eddy::softmax_row(x.data(), y.data(), n);
      const float total = eddy::log_sum_exp(x.data(), n);
      CHECK((std::isnan(special) ? std::isnan(total) : total == special));
      CHECK(std::isnan(y[at]));
    }
  std::vector<float> ruled_out(static_cast<std::size_t>(n), -kInf);
  CHECK(eddy::log_sum_exp(ruled_out.data(), n) == -kInf);
  ruled_out.back() = 2.0F;
  CHECK(eddy::log_sum_exp(ruled_out.data(), n) == 2.0F);
}

TEST_CASE("column sums do not depend on the number of threads") {
  const std::int64_t rows = 333, cols = 1111, ld = 1120;
  const std::vector<float> in = ramp(rows * ld, 2.0F, -1.0F);
  std::vector<float> one(cols, 1.0F), two(cols, 1.0F);
  const int before = eddy::num_threads();
  eddy::set_num_threads(1);
  eddy::column_sum(in.data(), rows, cols, ld, true, one.data());
  eddy::set_num_threads(2);
  eddy::column_sum(in.data(), rows, cols, ld, true, two.data());
  eddy::set_num_threads(before);
  CHECK(one == two);
  for (std::int64_t c = 0; c < cols; ++c) {
    double sum = 1;
    for (std::int64_t r = 0; r < rows; ++r) sum += in[static_cast<std::size_t>(r * ld + c)];
    CHECK(std::fabs(one[static_cast<std::size_t>(c)] - sum) < 1e-4);
  }
}
