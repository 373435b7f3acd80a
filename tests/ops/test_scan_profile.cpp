// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "eddy/graph/gradient.h"
#include "eddy/graph/profile_totals.h"
#include "eddy/graph/program.h"
#include "eddy/ops/add.h"
#include "eddy/ops/matmul.h"
#include "eddy/ops/scan.h"
#include "eddy/ops/sum.h"
#include "eddy/ops/tanh.h"

namespace eddy::test {
namespace {

constexpr std::int64_t kTime = 7, kBatch = 4, kSize = 6;

/// A plain recurrent network and its gradient: two loops.
Program recurrent_program() {
  Graph graph;
  const Value x = graph.input("x", f32, {kTime, kBatch, kSize});
  const Value w = graph.input("w", f32, {kSize, kSize});
  const State start{{"h", graph.constant(Tensor(f32, {kBatch, kSize}))}};
  const auto cell = [&](Value input, const State& state) -> Step {
    const Value h = tanh(input + matmul(state["h"], w));
    return {.output = h, .state = {{"h", h}}, .outputs = {}};
  };
  const Value loss = sum(scan(cell, x, start).output);
  return compile(graph, {loss, dense_gradient(loss, w)});
}

std::vector<Binding> inputs() {
  const Tensor x(f32, {kTime, kBatch, kSize}), w(f32, {kSize, kSize});
  for (std::int64_t i = 0; i < x.elements(); ++i) x.values<float>()[static_cast<std::size_t>(i)] = 0.1F;
  return {{"x", x}, {"w", w}};
}

TEST_CASE("a profile looks into loops: their body counts for all steps") {
  Program program = recurrent_program();
  const Profile profile = program.profile(inputs(), 3);
  double flops = 0, seconds = 0, end = 0;
  int loops = 0;
  for (const NodeProfile& node : profile.nodes) {
    CHECK(node.seconds >= 0);
    CHECK(node.start >= end - 1e-12);  // one after the other
    end = node.start + node.seconds;
    seconds += node.seconds;
    loops += node.op == "scan";
    if (node.op == "scan/matmul") flops = std::max(flops, node.flops);
    if (node.op == "scan") CHECK(node.flops == 0);
  }
  CHECK(loops == 2);
  // The recurrent product of all steps.
  CHECK(flops == 2.0 * kTime * kBatch * kSize * kSize);
  CHECK(profile.nodes.size() > static_cast<std::size_t>(program.instruction_count()));
  CHECK(seconds == doctest::Approx(end));
  // The clocks are gone again.
  CHECK(program.run(inputs())[0].item() == program.run(inputs())[0].item());
}

TEST_CASE("totals by op add up and come longest first") {
  Program program = recurrent_program();
  const Profile profile = program.profile(inputs(), 2);
  const std::vector<OpTotal> totals = totals_by_op(profile);
  double seconds = 0, of_nodes = 0, flops = 0;
  int count = 0;
  for (std::size_t i = 0; i < totals.size(); ++i) {
    if (i > 0) CHECK(totals[i].seconds <= totals[i - 1].seconds);
    seconds += totals[i].seconds;
    flops += totals[i].flops;
    count += totals[i].count;
  }
  for (const NodeProfile& node : profile.nodes) of_nodes += node.seconds;
  CHECK(seconds == doctest::Approx(of_nodes));
  CHECK(flops == doctest::Approx(profile.total_flops()));
  CHECK(count == static_cast<int>(profile.nodes.size()));
  const std::string text = to_string(profile, 100);
  CHECK(to_string(profile, 1e12).find("faster than the peak") == std::string::npos);
  CHECK(to_string(profile, 1e-9).find("the run was faster than the peak") != std::string::npos);
  CHECK(text.find("scan/matmul") != std::string::npos);
  const auto trace = nlohmann::json::parse(chrome_trace(profile));
  CHECK(trace.at("traceEvents").size() == profile.nodes.size());
}

TEST_CASE("the text of a program shows the bodies of its loops") {
  const std::string text = recurrent_program().text();
  INFO(text);
  const std::size_t loop = text.find("= scan(");
  REQUIRE(loop != std::string::npos);
  const std::size_t body = text.find("each of 7 steps:", loop);
  REQUIRE(body != std::string::npos);
  CHECK(text.find("= matmul(", body) != std::string::npos);
}

TEST_CASE("the graph drawn of a program has a frame for each loop") {
  const std::string text = recurrent_program().dot();
  INFO(text);
  const std::size_t frame = text.find("label=\"each of 7 steps\"");
  REQUIRE(frame != std::string::npos);
  CHECK(text.find(" matmul\\n", frame) != std::string::npos);
  CHECK(std::ranges::count(text, '{') == std::ranges::count(text, '}'));
}

TEST_CASE("the memory plan tells the outputs of a loop apart and shows its body's plan") {
  const Program program = recurrent_program();
  const std::string text = to_string(program.memory_plan());
  INFO(text);
  CHECK(text.find("output 1 of scan(") != std::string::npos);
  const std::size_t scratch = text.find("scratch of scan(");
  REQUIRE(scratch != std::string::npos);
  CHECK(text.find("its body: peak at step", scratch) != std::string::npos);
  CHECK(text.find("matmul(", text.find("its body:", scratch)) != std::string::npos);
}

}  // namespace
}  // namespace eddy::test
