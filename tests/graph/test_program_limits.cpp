// SPDX-License-Identifier: Apache-2.0
// What a program asks of the machine: threads, memory, sizes that can be counted.
#include <doctest/doctest.h>

#include "eddy/core/denormals.h"
#include "eddy/core/threads.h"
#include "eddy/graph/builtin.h"
#include "eddy/graph/program.h"
#include "eddy/ops/add.h"
#include "eddy/ops/matmul.h"
#include "eddy/ops/mul.h"
#include "eddy/ops/reshape.h"
#include "eddy/ops/tanh.h"

namespace eddy::test {
namespace {

/// A table of its squared elements takes a pebibyte: more than addresses reach, so that no system promises it.
constexpr std::int64_t kLarge = std::int64_t{1} << 24;

TEST_CASE("a program runs with the number of threads it was compiled for, and no other") {
  const int before = num_threads();
  set_num_threads(2);
  Graph graph;
  const Value x = graph.input("x", f32, {4});
  Program program = compile(graph, {tanh(x) + 1.0F});
  const Tensor four(f32, {4});
  CHECK_NOTHROW(program.run({{"x", four}}));
  for (const int threads : {1, 3, 16}) {
    set_num_threads(threads);
    CHECK_THROWS_WITH_AS(program.run({{"x", four}}), doctest::Contains("compiled for 2 threads"), GraphError);
  }
  set_num_threads(2);
  CHECK_NOTHROW(program.run({{"x", four}}));
  set_num_threads(before);
}

TEST_CASE("denormal numbers count as zeros in a program, folded or run by several threads, and nowhere else") {
  const int before = num_threads();
  set_num_threads(2);
  const unsigned modes = FloatModes::current();
  for (const bool fold : {false, true}) {
    Graph graph;
    const Value x = graph.input("x", f32, {40'000});
    const Value small = graph.constant(1e-30F) * graph.constant(1e-10F);
    Program program = compile(graph, {x * 1e-10F, small, small * 1e20F}, {.passes = {.fold = fold}});
    const Tensor values(f32, {40'000});
    for (float& value : values.values<float>()) value = 1e-30F;
    const std::span<const Tensor> results = program.run({{"x", values}});
    for (const float value : results[0].values<const float>()) REQUIRE(value == 0);
    CHECK(results[1].item() == 0);
    CHECK(results[2].item() == 0);
    CHECK(FloatModes::current() == modes);
  }
  set_num_threads(before);
}

TEST_CASE("a program that was moved from says so") {
  Graph graph;
  Program program = compile(graph, {graph.constant(1.0F)});
  Program other = std::move(program);
  CHECK(other.run()[0].item() == 1);
  CHECK_THROWS_WITH_AS(program.run(), doctest::Contains("was moved"), UsageError);
  CHECK_THROWS_AS(program.text(), UsageError);
  CHECK_THROWS_AS(program.profile({}, 1), UsageError);
}

TEST_CASE("empty values and tensors are errors") {
  Graph graph;
  const Value x = graph.input("x", f32, {});
  CHECK_THROWS_WITH_AS(copy_of(Value()), doctest::Contains("empty value"), GraphError);
  CHECK_THROWS_WITH_AS(gather_rows(3.0F, x), doctest::Contains("empty value"), GraphError);
  Program program = compile(graph, {x + 1.0F});
  CHECK_THROWS_WITH_AS(program.run({{"x", Tensor()}}), doctest::Contains("'x' (f32[]) is bound to an empty tensor"),
                       GraphError);
}

TEST_CASE("shapes whose elements cannot be counted are refused") {
  Graph graph;
  const std::int64_t large = std::int64_t{1} << 33;
  CHECK_THROWS_WITH_AS(Tensor(f32, {large, large}), doctest::Contains("too many elements"), GraphError);
  CHECK_THROWS_WITH_AS(graph.input("x", f32, {large, large}), doctest::Contains("too many elements"), GraphError);
}

TEST_CASE("a program without memory to run in says what needs it") {
  Graph graph;
  const Value x = graph.input("x", f32, {kLarge});
  const Value table = reshape(x, {kLarge, 1}) + reshape(x, {1, kLarge});
  try {
    compile(graph, {matmul(tanh(table), reshape(x, {kLarge, 1}))});
    FAIL("a pebibyte was found");
  } catch (const MemoryError& error) {
    const std::string message = error.what();
    CHECK_MESSAGE(message.find("1048576.00 GiB") != std::string::npos, message);
    CHECK_MESSAGE(message.find("f32[16777216,16777216]") != std::string::npos, message);
    CHECK_MESSAGE(message.find("test_program_limits.cpp") != std::string::npos, message);
  }
}

TEST_CASE("a program runs on in an arena that could not grow for another one") {
  Graph graph;
  const Value x = graph.input("x", f32, {2, 2}), wide = graph.input("wide", f32, {kLarge});
  const auto arena = std::make_shared<Arena>();
  Program small = compile(graph, {matmul(tanh(x), x)}, {.arena = arena});
  const Value table = reshape(wide, {kLarge, 1}) + reshape(wide, {1, kLarge});
  CHECK_THROWS_AS(compile(graph, {matmul(tanh(table), reshape(wide, {kLarge, 1}))}, {.arena = arena}), MemoryError);
  CHECK(arena->data() != nullptr);
  CHECK(small.run({{"x", Tensor::from<float>({0, 0, 0, 0}, {2, 2})}})[0].values<const float>()[0] == 0);
}

TEST_CASE("an error in a constant names op and line") {
  Graph graph;
  const Value table = graph.constant(Tensor(f32, {3, 2}));
  const Value ids = graph.constant(Tensor::from<std::int32_t>({7}, {1}));
  CHECK_THROWS_WITH_AS(compile(graph, {gather_rows(table, ids)}),
                       doctest::Contains("[gather_rows] index 7 at position 0 is out of range for a table of 3 rows  "
                                         "(" __FILE__ ":"),
                       GraphError);
}

}  // namespace
}  // namespace eddy::test
