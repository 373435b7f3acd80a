// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <random>
#include <vector>

#include "eddy/core/tensor.h"
#include "eddy/core/tile_product.h"

namespace {

namespace tiles = eddy::tiles;
using eddy::Tensor;

constexpr float kInfinity = std::numeric_limits<float>::infinity(), kNan = std::numeric_limits<float>::quiet_NaN();

std::size_t at(std::int64_t i) { return static_cast<std::size_t>(i); }

/// A matrix of lines and terms; whatever lies between them in memory is NaN.
struct Matrix {
  std::int64_t lines, depth;
  std::vector<float> values;  ///< [lines, depth]

  Matrix(std::int64_t count, std::int64_t terms, unsigned seed)
      : lines(count), depth(terms), values(at(count * terms)) {
    std::mt19937 generator(seed);
    std::normal_distribution<float> normal;
    for (float& v : values) v = normal(generator);
  }
  float& operator()(std::int64_t line, std::int64_t term) { return values[at(line * depth + term)]; }
  float operator()(std::int64_t line, std::int64_t term) const { return values[at(line * depth + term)]; }

  Tensor packed(tiles::Side side, bool terms_first, int parts = tiles::kMostParts) const {
    const std::int64_t stride = (terms_first ? lines : depth) + 3;
    std::vector<float> memory(at(stride * (terms_first ? depth : lines)), kNan);
    for (std::int64_t l = 0; l < lines; ++l)
      for (std::int64_t k = 0; k < depth; ++k)
        memory[at(terms_first ? k * stride + l : l * stride + k)] = (*this)(l, k);
    Tensor result(eddy::f32, {tiles::packed_floats(lines, depth, parts)});
    tiles::pack(side, {memory.data(), stride, terms_first}, lines, depth, parts, result.values<float>().data());
    return result;
  }
};

/// [rows, columns]
std::vector<float> product(const Matrix& left, const Matrix& right, bool left_terms_first = false,
                           bool right_terms_first = true, int parts = tiles::kMostParts) {
  const Tensor a = left.packed(tiles::Side::left, left_terms_first, parts),
               b = right.packed(tiles::Side::right, right_terms_first, parts);
  Tensor out(eddy::f32, {tiles::kRows * tiles::kCols});
  const tiles::Use use;
  tiles::multiply({a.values<float>().data(), left.lines, b.values<float>().data(),
                   tiles::packed_floats(tiles::kGroup, left.depth, parts), right.lines, left.depth, parts},
                  out.values<float>().data(), {});
  std::vector<float> result;
  for (std::int64_t r = 0; r < left.lines; ++r)
    for (std::int64_t c = 0; c < right.lines; ++c) result.push_back(out.values<float>()[at(r * tiles::kCols + c)]);
  return result;
}

/// Errors of sums relative to the sums of absolute values.
struct Errors {
  double largest = 0, squares = 0;
  void add(double error) {
    largest = std::max(largest, std::abs(error));
    squares += error * error;
  }
};

}  // namespace

TEST_CASE("products on tiles are as exact as sums of f32" * doctest::skip(!tiles::available())) {
  for (const std::int64_t rows : {1, 7, 16, 17, 31, 32}) {
    for (const std::int64_t columns : {1, 15, 16, 17, 33, 48, 49, 64}) {
      for (const std::int64_t depth : {1, 16, 31, 32, 33, 100, 512}) {
        const Matrix left(rows, depth, 1), right(columns, depth, 2);
        for (const bool left_terms_first : {false, true}) {
          for (const bool right_terms_first : {false, true}) {
            const std::vector<float> out = product(left, right, left_terms_first, right_terms_first);
            Errors own, plain;
            for (std::int64_t r = 0; r < rows; ++r) {
              for (std::int64_t c = 0; c < columns; ++c) {
                double exact = 0, size = 0;
                float chain = 0;
                for (std::int64_t k = 0; k < depth; ++k) {
                  const double term = double{left(r, k)} * double{right(c, k)};
                  exact += term;
                  size += std::abs(term);
                  chain = std::fma(left(r, k), right(c, k), chain);
                }
                own.add((double{out[at(r * columns + c)]} - exact) / size);
                plain.add((double{chain} - exact) / size);
              }
            }
            CAPTURE(rows);
            CAPTURE(columns);
            CAPTURE(depth);
            CAPTURE(left_terms_first);
            CAPTURE(right_terms_first);
            CHECK(own.largest < std::ldexp(1.0, -22));
            if (depth >= tiles::kTerms && rows * columns >= 100) CHECK(own.squares < plain.squares);
          }
        }
      }
    }
  }
}

namespace {

/// The nearest number of 8 digits; of two as near the larger in size.
float to_bf16(float x) {
  std::uint32_t bits = 0;
  std::memcpy(&bits, &x, sizeof(bits));
  bits = (bits + 0x8000U) & 0xFFFF0000U;
  std::memcpy(&x, &bits, sizeof(bits));
  return x;
}

}  // namespace

TEST_CASE("products of fewer parts are those of the rounded numbers" * doctest::skip(!tiles::available())) {
  for (const int parts : {1, 2}) {
    for (const std::int64_t rows : {1, 16, 17, 32}) {
      for (const std::int64_t columns : {1, 16, 31, 48, 64}) {
        for (const std::int64_t depth : {1, 32, 100}) {
          const Matrix left(rows, depth, 8), right(columns, depth, 9);
          for (const bool terms_first : {false, true}) {
            const std::vector<float> out = product(left, right, terms_first, terms_first, parts);
            double largest = 0, largest_of_rounded = 0;
            for (std::int64_t r = 0; r < rows; ++r) {
              for (std::int64_t c = 0; c < columns; ++c) {
                double exact = 0, of_rounded = 0, size = 0;
                for (std::int64_t k = 0; k < depth; ++k) {
                  const float a = left(r, k), b = right(c, k), a0 = to_bf16(a), b0 = to_bf16(b);
                  exact += double{a} * double{b};
                  size += std::abs(double{a} * double{b});
                  of_rounded += double{a0} * double{b0};
                  if (parts == 2)
                    of_rounded += double{a0} * double{to_bf16(b - b0)} + double{to_bf16(a - a0)} * double{b0};
                }
                const double own = out[at(r * columns + c)];
                largest = std::max(largest, std::abs(own - exact) / size);
                largest_of_rounded = std::max(largest_of_rounded, std::abs(own - of_rounded) / size);
              }
            }
            CAPTURE(parts);
            CAPTURE(rows);
            CAPTURE(columns);
            CAPTURE(depth);
            CHECK(largest < std::ldexp(1.0, parts == 1 ? -7 : -15));
            CHECK(largest_of_rounded < std::ldexp(1.0, -21));
          }
        }
      }
    }
  }
}

TEST_CASE("infinities, the largest numbers and every NaN stay what they are" * doctest::skip(!tiles::available())) {
  const auto of_bits = [](std::uint32_t bits) {
    float x = 0;
    std::memcpy(&x, &bits, sizeof(bits));
    return x;
  };
  const float largest = std::numeric_limits<float>::max();
  for (const int parts : {1, 2, 3}) {
    CAPTURE(parts);
    Matrix left(20, 40, 6), right(40, 40, 7);
    left(0, 3) = kInfinity;
    left(1, 4) = -kInfinity;
    left(2, 5) = kNan;
    left(3, 6) = of_bits(0x7FFFFFFF);  // rounded up it would be a zero
    left(4, 7) = of_bits(0x7F800001);  // cut off it would be an infinity
    left(5, 8) = largest;
    left(6, 8) = -largest;
    for (std::int64_t c = 0; c < 40; ++c) right(c, 8) = c % 2 == 0 ? 0.5F : 0;
    const std::vector<float> out = product(left, right, false, true, parts);
    for (std::int64_t c = 0; c < 40; ++c) {
      CHECK(out[at(c)] == std::copysign(kInfinity, right(c, 3)));
      CHECK(out[at(40 + c)] == std::copysign(kInfinity, -right(c, 4)));
      for (const std::int64_t row : {2, 3, 4}) CHECK(std::isnan(out[at(row * 40 + c)]));
      for (const std::int64_t row : {5, 6}) {
        const float own = out[at(row * 40 + c)], sign = row == 5 ? 1 : -1;
        if (c % 2 == 0) {
          CHECK(own == doctest::Approx(sign * 0.5F * largest).epsilon(1e-2));
        } else {
          CHECK(std::abs(own) < 100);
        }
      }
      CHECK(std::isfinite(out[at(280 + c)]));
    }
  }
}

TEST_CASE("an element of a product depends on its row and column alone" * doctest::skip(!tiles::available())) {
  const std::int64_t depth = 77;
  const Matrix left(32, depth, 3), right(64, depth, 4);
  for (const int parts : {1, 2, 3}) {
    CAPTURE(parts);
    const std::vector<float> whole = product(left, right, false, true, parts);
    for (const std::int64_t rows : {1, 16, 20}) {
      for (const std::int64_t columns : {5, 16, 30, 40, 64}) {
        Matrix some_rows(rows, depth, 0), some_columns(columns, depth, 0);
        for (std::int64_t k = 0; k < depth; ++k) {
          for (std::int64_t r = 0; r < rows; ++r) some_rows(r, k) = left(31 - r, k);
          for (std::int64_t c = 0; c < columns; ++c) some_columns(c, k) = right(63 - c, k);
        }
        const std::vector<float> part = product(some_rows, some_columns, false, true, parts);
        bool same = true;
        for (std::int64_t r = 0; r < rows; ++r)
          for (std::int64_t c = 0; c < columns; ++c)
            same &= part[at(r * columns + c)] == whole[at((31 - r) * 64 + 63 - c)];
        CHECK(same);
      }
    }
  }
}

TEST_CASE("rows of a left operand may lie anywhere" * doctest::skip(!tiles::available())) {
  const Matrix left(40, 50, 5);
  const std::vector<std::int32_t> lines{39, 0, 7, 7, 12, 3, 4, 5, 6, 38, 1, 2, 20, 21, 22, 23, 24, 9};
  const auto count = static_cast<std::int64_t>(lines.size());
  Matrix chosen(count, 50, 0);
  for (std::int64_t i = 0; i < count; ++i)
    for (std::int64_t k = 0; k < 50; ++k) chosen(i, k) = left(lines[at(i)], k);
  const Tensor expected = chosen.packed(tiles::Side::left, false);
  Tensor packed(eddy::f32, {tiles::packed_floats(count, 50, tiles::kMostParts)});
  tiles::pack(tiles::Side::left, {left.values.data(), 50, false, lines.data()}, count, 50, tiles::kMostParts,
              packed.values<float>().data());
  CHECK(std::memcmp(packed.data(), expected.data(), packed.values<float>().size_bytes()) == 0);
}

TEST_CASE("infinities, NaN and the largest numbers are what they are in sums of f32" *
          doctest::skip(!tiles::available())) {
  const float largest = std::numeric_limits<float>::max();
  for (const std::int64_t rows : {9, 25}) {
    Matrix left(rows, 40, 6), right(60, 40, 7);
    left(0, 3) = kInfinity;
    left(1, 4) = -kInfinity;
    left(2, 5) = kNan;
    left(3, 6) = largest;
    left(4, 7) = kInfinity;
    left(4, 8) = -kInfinity;
    left(5, 36) = -largest;
    for (std::int64_t c = 0; c < 60; ++c) right(c, 6) = right(c, 36) = 0.5F;
    right(2, 3) = 0;
    right(59, 9) = kInfinity;
    const std::vector<float> out = product(left, right);
    for (std::int64_t r = 0; r < rows; ++r) {
      for (std::int64_t c = 0; c < 60; ++c) {
        double exact = 0;
        for (std::int64_t k = 0; k < 40; ++k) exact += double{left(r, k)} * double{right(c, k)};
        const float own = out[at(r * 60 + c)];
        CAPTURE(r);
        CAPTURE(c);
        if (std::isnan(exact)) {
          CHECK(std::isnan(own));
        } else if (std::isinf(exact)) {
          CHECK(double{own} == exact);
        } else {
          CHECK(double{own} == doctest::Approx(exact).epsilon(1e-5));
        }
      }
    }
  }
}

TEST_CASE("a thread's scratch is kept until more is asked for" * doctest::skip(!tiles::available())) {
  float* first = tiles::thread_scratch(5000);
  first[4999] = 1;
  CHECK(tiles::thread_scratch(100) == first);
  CHECK(reinterpret_cast<std::uintptr_t>(first) % 64 == 0);
  tiles::thread_scratch(100'000)[99'999] = 1;
}
