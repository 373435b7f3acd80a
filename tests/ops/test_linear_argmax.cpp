// SPDX-License-Identifier: Apache-2.0
// In a loop a few rows meet bounds first, which the argmax of all logits does not.
#include <doctest/doctest.h>

#include <algorithm>
#include <limits>

#include "eddy/eddy.h"
#include "tests/support/arrays.h"

namespace eddy::test {
namespace {

constexpr std::int64_t kTime = 25, kClasses = 1003, kSize = 517;
constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

struct Operands {
  Tensor x, table, bias;
};

Operands operands_of(std::int64_t rows) {
  Philox random(5);
  return {random_tensor({f32, {kTime, rows, kSize}}, random, -1, 1),
          random_tensor({f32, {kClasses, kSize}}, random, -0.1F, 0.1F),
          random_tensor({f32, {kClasses}}, random, -0.5F, 0.5F)};
}

struct Answers {
  std::vector<std::int32_t> in_loop, plain;
};

std::vector<std::int32_t> list(const Tensor& tensor) {
  const auto values = tensor.values<std::int32_t>();
  return {values.begin(), values.end()};
}

/// The next state depends on the answer, so that products stay in the loop.
Answers answers(const Operands& operands) {
  Graph graph;
  const Value x = graph.input("x", f32, operands.x.shape()), table = graph.input("table", f32, operands.table.shape()),
              bias = graph.input("bias", f32, operands.bias.shape());
  const auto step = [&](Value now, const State& state) {
    const Value word = expand_dims(cast(state["word"], f32), 1);
    const Value h = now + word / static_cast<float>(100 * kClasses);
    const Value next = linear_argmax(h, table, bias);
    // Of the same product, so that logits have the same bits.
    const Value plain = argmax(linear(h, table, bias, {.transpose_w = true}));
    return Step{.output = next, .state = {{"word", next}, {"plain", plain}}};
  };
  const Value start = full(graph, {i32, {x.dim(1)}}, 0);
  const ScanResult loop = scan(step, x, {{"word", start}, {"plain", start}});
  Program program = compile(graph, {loop.output, loop.states["plain"]});
  const std::vector<Binding> bindings{{"x", operands.x}, {"table", operands.table}, {"bias", operands.bias}};
  program.run(bindings);
  const auto results = program.run(bindings);
  return {list(results[0]), list(results[1])};
}

void check_alike(const Operands& operands) {
  const Answers found = answers(operands);
  CHECK(found.in_loop == found.plain);
}

void fill_row(const Tensor& table, std::int64_t row, float value) {
  std::fill_n(table.values<float>().begin() + row * kSize, kSize, value);
}

}  // namespace

TEST_CASE("the likeliest class in a loop is that of all logits, for few rows and for many") {
  for (const std::int64_t rows : {1, 2, 3, 4, 5, 9}) {
    CAPTURE(rows);
    check_alike(operands_of(rows));
  }
}

TEST_CASE("the first of equal classes in a loop") {
  const Operands operands = operands_of(2);
  // Each row of the table stands there twice, with the same bias.
  const auto table = operands.table.values<float>();
  const auto bias = operands.bias.values<float>();
  for (std::int64_t cls = 0; cls < kClasses / 2; ++cls) {
    std::copy_n(table.begin() + cls * kSize, kSize, table.begin() + (kClasses / 2 + cls) * kSize);
    bias[static_cast<std::size_t>(kClasses / 2 + cls)] = bias[static_cast<std::size_t>(cls)];
  }
  fill_row(operands.table, kClasses - 1, 0);
  const Answers found = answers(operands);
  CHECK(found.in_loop == found.plain);
  for (const std::int32_t cls : found.in_loop) CHECK((cls < kClasses / 2 || cls == kClasses - 1));
}

TEST_CASE("bounds that rule nothing out: equal classes, no classes but few, vectors of zeros") {
  const Operands operands = operands_of(3);
  SUBCASE("all classes equal") {
    for (std::int64_t cls = 0; cls < kClasses; ++cls) fill_row(operands.table, cls, 0.25F);
    std::ranges::fill(operands.bias.values<float>(), 0.5F);
    const Answers found = answers(operands);
    CHECK(found.in_loop == std::vector<std::int32_t>(3 * kTime, 0));
  }
  SUBCASE("vectors of zeros, and all biases equal") {
    std::ranges::fill(operands.x.values<float>(), 0.0F);
    for (const float alike : {-1.0F, 0.0F, -0.0F}) {
      std::ranges::fill(operands.bias.values<float>(), alike);
      const Answers found = answers(operands);
      CHECK(found.in_loop == std::vector<std::int32_t>(3 * kTime, 0));
      CHECK(found.plain == found.in_loop);
    }
  }
  SUBCASE("vectors of zeros") {
    std::ranges::fill(operands.x.values<float>(), 0.0F);
    check_alike(operands);
  }
  SUBCASE("nearly all classes ruled out") {
    const auto bias = operands.bias.values<float>();
    for (std::size_t i = 0; i < bias.size(); ++i)
      if (i % 100 != 7) bias[i] = -kInfinity;
    const Answers found = answers(operands);
    CHECK(found.in_loop == found.plain);
    for (const std::int32_t cls : found.in_loop) CHECK(cls % 100 == 7);
  }
  SUBCASE("all classes ruled out") {
    std::ranges::fill(operands.bias.values<float>(), -kInfinity);
    CHECK(answers(operands).in_loop == std::vector<std::int32_t>(3 * kTime, 0));
  }
}

TEST_CASE("numbers that are none, in a loop") {
  const Operands operands = operands_of(2);
  SUBCASE("in the table") { fill_row(operands.table, 600, kNan); }
  SUBCASE("infinite in the table") { operands.table.values<float>()[600 * kSize + 3] = kInfinity; }
  SUBCASE("in two rows of the table") {
    operands.table.values<float>()[500 * kSize + 1] = kNan;
    operands.table.values<float>()[501 * kSize] = kNan;
  }
  SUBCASE("in the bias") { operands.bias.values<float>()[77] = kNan; }
  SUBCASE("infinite in the bias") { operands.bias.values<float>()[77] = kInfinity; }
  SUBCASE("in a vector") { operands.x.values<float>()[kSize * 2 * 7] = kNan; }
  SUBCASE("infinite in a vector") { operands.x.values<float>()[kSize * 2 * 7 + 5] = kInfinity; }
  check_alike(operands);
}

TEST_CASE("classes that are equal but for the rounding of a few last elements, in a loop") {
  for (const std::int64_t rows : {1, 2, 3, 4}) {
    const Operands operands = operands_of(rows);
    std::ranges::fill(operands.x.values<float>(), 0.0F);
    for (std::int64_t row = 0; row < kTime * rows; ++row) {
      operands.x.values<float>()[static_cast<std::size_t>(row * kSize + 512)] = 1;
      operands.x.values<float>()[static_cast<std::size_t>(row * kSize + 513)] = 1 + 0x1p-12F;
    }
    for (std::int64_t cls = 0; cls < kClasses; ++cls) fill_row(operands.table, cls, 0);
    std::ranges::fill(operands.bias.values<float>(), -10.0F);
    const auto table = operands.table.values<float>();
    table[512] = 0x1p-11F;
    table[kSize + 512] = -1;
    table[kSize + 513] = 1 + 0x1p-12F;
    operands.bias.values<float>()[0] = operands.bias.values<float>()[1] = 0;
    CAPTURE(rows);
    check_alike(operands);
  }
}

TEST_CASE("a product that overflows and cancels to nothing in the bounds, in a loop") {
  const Operands operands = operands_of(1);
  std::ranges::fill(operands.x.values<float>(), 0.0F);
  for (std::int64_t t = 0; t < kTime; ++t)
    operands.x.values<float>()[static_cast<std::size_t>(t * kSize)] =
        operands.x.values<float>()[static_cast<std::size_t>(t * kSize + 1)] = 1e21F;
  for (std::int64_t cls = 0; cls < kClasses; ++cls) fill_row(operands.table, cls, 0);
  const auto table = operands.table.values<float>();
  table[5 * kSize] = 1e18F;
  table[5 * kSize + 1] = -1e18F;
  table[9 * kSize] = 1e17F;
  check_alike(operands);
}

TEST_CASE("tables and vectors of very small and very large numbers, in a loop") {
  for (const float by : {1e-30F, 1e-18F, 1e10F, 1e18F}) {
    const Operands operands = operands_of(1);
    for (float& value : operands.table.values<float>()) value *= by;
    for (float& value : operands.bias.values<float>()) value *= by;
    CAPTURE(by);
    check_alike(operands);
    for (float& value : operands.x.values<float>()) value *= 1e-6F;
    check_alike(operands);
  }
}

}  // namespace eddy::test
