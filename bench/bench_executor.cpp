// SPDX-License-Identifier: Apache-2.0
#include "bench/benchmarks.h"
#include "bench/measure.h"
#include "eddy/graph/builtin.h"
#include "eddy/graph/gradient.h"
#include "eddy/ops/add.h"
#include "eddy/ops/matmul.h"
#include "eddy/ops/sum.h"
#include "eddy/ops/tanh.h"

namespace eddy::bench {
namespace {

/// A chain of additions of one element each: next to no work, so that the time is the executor's.
void node_overhead(benchmark::State& state, bool fused) {
  constexpr int kNodes = 1000;
  Graph graph;
  const Value x = graph.input("x", f32, {1});
  Value y = x;
  for (int i = 0; i < kNodes; ++i) y = y + x;
  Program program = compile(
      graph, {y},
      {.passes = {.prune = false, .simplify = false, .fold = false, .cse = false, .lower = false, .fuse = fused}});
  if (fused == (program.instruction_count() >= kNodes))
    return refuse(state, fmt::format("{} nodes run as {} instructions", kNodes, program.instruction_count()));
  const std::vector<Binding> bindings{{"x", Tensor::from<float>({1}, {1})}};
  const float got = program.run(bindings)[0].item();
  if (got != kNodes + 1) return refuse(state, fmt::format("the chain yields {}, expected {}", got, kNodes + 1));
  const double seconds = measure(state, program.cost(), [&] { program.run(bindings); });
  state.counters["ns/node"] = seconds / kNodes * 1e9;
}

/// A chain and its gradient: the time of a node must not grow with the graph.
void compile_time(benchmark::State& state) {
  const auto nodes = static_cast<int>(state.range(0));
  Graph graph;
  const Value x = graph.input("x", f32, {8, 8});
  Value y = x;
  for (int i = 0; i < nodes / 4; ++i) y = tanh(matmul(y, x));
  const std::vector<Value> results = dense_gradients(sum(y), std::vector{x});
  const double seconds = measure(state, {}, [&] { compile(graph, results); });
  state.counters["us/node"] = seconds / graph.size() * 1e6;
}

}  // namespace

void register_executor_benchmarks() {
  for (const bool fused : {false, true})
    benchmark::RegisterBenchmark(fused ? "executor/node_overhead_fused" : "executor/node_overhead",
                                 [fused](benchmark::State& state) { node_overhead(state, fused); })
        ->UseManualTime()
        ->Unit(benchmark::kMicrosecond);
  benchmark::RegisterBenchmark("executor/compile", compile_time)
      ->Arg(1000)
      ->Arg(10000)
      ->UseManualTime()
      ->Unit(benchmark::kMillisecond);
}

}  // namespace eddy::bench
