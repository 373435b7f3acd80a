// SPDX-License-Identifier: Apache-2.0
// Ops that only move elements, on every dtype; numbers they fill with; shapes that cannot be.
#include <doctest/doctest.h>

#include <functional>
#include <vector>

#include "eddy/graph/program.h"
#include "eddy/ops/broadcast_to.h"
#include "eddy/ops/concat.h"
#include "eddy/ops/reshape.h"
#include "eddy/ops/reverse.h"
#include "eddy/ops/shift.h"
#include "eddy/ops/slice.h"
#include "eddy/ops/transpose.h"
#include "eddy/ops/where.h"
#include "tests/support/arrays.h"

namespace eddy::test {
namespace {

using Move = std::function<std::vector<Value>(Value)>;

/// The results of `move` on 24 zeros and ones of f32[2,3,4], and of another dtype.
void check_moves(const std::string& name, const Move& move) {
  CAPTURE(name);
  const std::vector<double> numbers{0, 1, 1, 0, 1, 0, 0, 0, 1, 1, 0, 1, 1, 1, 1, 0, 0, 1, 0, 0, 0, 1, 0, 1};
  std::vector<std::vector<Tensor>> found;
  for (const DType dtype : {f32, i32, boolean}) {
    const TensorType type{dtype, {2, 3, 4}};
    Graph graph;
    Program program = compile(graph, move(graph.input("x", type.dtype, type.shape)));
    found.push_back(copies(program.run({{"x", from_doubles(type, numbers)}})));
  }
  for (std::size_t i = 0; i < found[0].size(); ++i) {
    CAPTURE(i);
    CHECK(found[1][i].dtype() == i32);
    CHECK(found[2][i].dtype() == boolean);
    CHECK(to_doubles(found[1][i]) == to_doubles(found[0][i]));
    CHECK(to_doubles(found[2][i]) == to_doubles(found[0][i]));
  }
}

TEST_CASE("what only moves elements does so for every dtype") {
  check_moves("pad", [](Value x) -> std::vector<Value> { return {pad(x, 1, 2, 1), pad(x, 0, 0, 1, 1)}; });
  check_moves("concat", [](Value x) -> std::vector<Value> {
    return {concat({x, x}, 1), concat({slice(x, 0, 0, 1), x}, 0), stack({x, x}, 2)};
  });
  check_moves("transpose", [](Value x) -> std::vector<Value> { return {transpose(x), transpose(x, {2, 0, 1})}; });
  check_moves("reverse", [](Value x) -> std::vector<Value> { return {reverse(x), reverse(x, 2)}; });
  check_moves("slice", [](Value x) -> std::vector<Value> { return {slice(x, 2, 1, 3), at(x, 1), at(x, -1, 1)}; });
  check_moves("split", [](Value x) {
    std::vector<Value> parts = split(x, 2, 2);
    for (const Value& part : split(x, std::vector<std::int64_t>{1, 1}, 0)) parts.push_back(part);
    return parts;
  });
  check_moves("broadcast_to", [](Value x) -> std::vector<Value> {
    return {broadcast_to(x, {5, 2, 3, 4}), broadcast_to(slice(x, 1, 0, 1), {2, 3, 4})};
  });
  check_moves("shift", [](Value x) -> std::vector<Value> { return {shift(x, 1, 0), shift(x, -1, 1), shift(x, 3, 1)}; });
  check_moves("where", [](Value x) -> std::vector<Value> {
    const Value condition = x.graph().constant(from_doubles({boolean, {3, 1}}, std::vector<double>{1, 0, 1}));
    return {where(condition, x, reverse(x, 2)), where(condition, x, 0), where(condition, 1, x)};
  });
}

TEST_CASE("what is filled in is exact, and a number of another kind is refused") {
  Graph graph;
  const Value x = graph.input("x", i32, {1});
  const Value flag = graph.input("flag", boolean, {1});
  Program program = compile(graph, {pad(x, 0, 1, 0, 16777217), shift(x, 1, -2147483647)});
  const auto results = copies(program.run({{"x", Tensor::from<std::int32_t>({5}, {1})}}));
  CHECK(to_doubles(results[0]) == std::vector<double>{16777217, 5});
  CHECK(to_doubles(results[1]) == std::vector<double>{-2147483647});
  CHECK_THROWS_WITH_AS(pad(x, 0, 1, 1, 0.5), doctest::Contains("[pad] the number 0.5 does not go with i32[1]"),
                       GraphError);
  CHECK_THROWS_WITH_AS(shift(x, 1, 3e9), doctest::Contains("[shift] the number 3000000000 does not go with i32[1]"),
                       GraphError);
  CHECK_THROWS_WITH_AS(shift(flag, 1, 2), doctest::Contains("does not go with bool[1]"), GraphError);
}

TEST_CASE("a shape that cannot be is refused by the op, with the user's line") {
  Graph graph;
  const Value x = graph.input("x", f32, {6});
  const Value deep = graph.input("deep", f32, {1, 1, 1, 1, 1, 1, 1, 2});
  const auto message = [](const std::function<void()>& build) {
    try {
      build();
    } catch (const GraphError& error) {
      return std::string(error.what());
    }
    return std::string("nothing");
  };
  const std::int64_t huge = std::int64_t{1} << 33;
  for (const auto& found : std::vector<std::pair<std::string, std::string>>{
           {message([&] {
              reshape(x, {-2, -3});
            }),
            "[reshape] axis 0 of a shape has the negative size -2"},
           {message([&] {
              reshape(x, {-1, -1});
            }),
            "[reshape] only one size may be -1, they are [-1,-1]"},
           {message([&] {
              reshape(x, {-1, 4});
            }),
            "[reshape] f32[6] cannot become [-1,4]: 6 is no multiple of 4"},
           {message([&] {
              reshape(x, {huge, huge, -1});
            }),
            "too many elements"},
           {message([&] {
              reshape(x, {1, 1, 1, 1, 1, 1, 1, 1, 6});
            }),
            "[reshape] a shape has at most 8 axes, 9"},
           {message([&] { expand_dims(deep, 0); }), "[expand_dims] f32[1,1,1,1,1,1,1,2] has 8 axes"}}) {
    const std::string &text = found.first, &expected = found.second;
    CAPTURE(text);
    CHECK(text.find(expected) != std::string::npos);
    CHECK(text.find("test_layout_ops.cpp") != std::string::npos);
  }
  CHECK(reshape(x, {2, -1}).shape() == Shape{2, 3});
}

}  // namespace
}  // namespace eddy::test
