// SPDX-License-Identifier: Apache-2.0
// The options of a compilation hold inside loops too, and what loops see of the graphs around them.
#include <doctest/doctest.h>

#include <cmath>

#include "eddy/graph/program.h"
#include "eddy/ops/add.h"
#include "eddy/ops/log.h"
#include "eddy/ops/matmul.h"
#include "eddy/ops/mul.h"
#include "eddy/ops/scan.h"
#include "eddy/ops/tanh.h"

namespace eddy::test {
namespace {

Tensor column(const std::vector<float>& values) {
  return Tensor::from(values, {static_cast<std::int64_t>(values.size()), 1});
}

TEST_CASE("loops: check_finite finds the op that yields NaN, though a mask hides it") {
  Graph graph;
  const Value x = graph.input("x", f32, {3, 1}), mask = graph.input("mask", f32, {3, 1}),
              h = graph.input("h", f32, {1});
  unsigned line = 0;
  const auto step = [&](Value now, const State& state) -> Step {
    line = __LINE__ + 1;
    const Value next = log(state["h"] + now);
    return {.output = next, .state = {{"h", next * 0.5F + 1}}};
  };
  const Value last = scan(step, x, {{"h", h}}, {.mask = mask}).last["h"];
  Program checked = compile(graph, {last}, {.check_finite = true}), plain = compile(graph, {last});
  const Tensor hidden = column({1, -5, 1}), real = column({1, 0, 1});
  const auto run = [&](Program& program, const Tensor& numbers) {
    return program.run({{"x", numbers}, {"mask", real}, {"h", Tensor::from<float>({1}, {1})}})[0].item();
  };
  CHECK(std::isfinite(run(plain, hidden)));
  try {
    run(checked, hidden);
    FAIL("NaN passes");
  } catch (const GraphError& error) {
    const std::string text = error.what();
    CHECK_MESSAGE(error.op() == "log", text);
    CHECK_MESSAGE(error.sentence().find("yields") != std::string::npos, text);
    CHECK_MESSAGE(error.origin().line == line, text);
  }
  CHECK(run(checked, column({1, 2, 1})) == run(plain, column({1, 2, 1})));
}

/// Bytes of the loop's own memory.
std::size_t loop_bytes(const Program& program) {
  for (const BufferLife& buffer : program.memory_plan().buffers)
    if (buffer.label.starts_with("scratch of scan(")) return buffer.bytes;
  return 0;
}

TEST_CASE("loops: shared memory and in-place results can be switched off inside") {
  Graph graph;
  const Value x = graph.input("x", f32, {3, 4, 16}), h = graph.input("h", f32, {4, 16}),
              w = graph.input("w", f32, {16, 16});
  const auto step = [&](Value now, const State& state) -> Step {
    const Value next = matmul(tanh(matmul(tanh(matmul(state["h"] + now, w)), w)), w);
    return {.output = {}, .state = {{"h", next}}};
  };
  const Value last = scan(step, x, {{"h", h}}).last["h"];
  const auto bytes = [&](bool reuse, bool in_place) {
    return loop_bytes(compile(graph, {last}, {.passes = {.fuse = false}, .reuse_memory = reuse, .in_place = in_place}));
  };
  CHECK(bytes(true, true) > 0);
  CHECK(bytes(true, true) < bytes(false, true));
  CHECK(bytes(false, true) < bytes(false, false));
}

TEST_CASE("loops: a value of two graphs around is captured once, whichever of them it comes from") {
  Graph outermost;
  const Value x = outermost.input("x", f32, {2});
  Graph middle(outermost);
  Graph inner(middle);
  const Value there = middle.import(x), here = inner.import(there);
  CHECK(inner.import(x) == here);
  CHECK(inner.import(x) == here);
  CHECK(inner.size() == 1);
  CHECK(middle.size() == 1);
}

}  // namespace
}  // namespace eddy::test
