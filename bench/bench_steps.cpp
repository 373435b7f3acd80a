// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "bench/benchmarks.h"
#include "bench/measure.h"
#include "bench/workload.h"

namespace eddy::bench {
namespace {

void run_workload(benchmark::State& state, const Workload& workload) {
  const std::vector<Binding> batch = random_batch(workload);
  Graph graph;
  ParameterStore store(1), same(1);
  Program program = compile(graph, build_step(graph, store, workload));
  const double first = program.run(batch)[0].item();
  {
    // The same step from the same weights, executed plainly.
    Graph plain_graph;
    const double plain = plain_results(plain_graph, build_step(plain_graph, same, workload), batch)[0].item();
    const double uniform = std::log(static_cast<double>(workload.vocabulary));
    if (!(std::abs(first - plain) <= 1e-4 * uniform) || !(std::abs(first - uniform) < 0.5))
      return refuse(state, fmt::format("the first loss is {}, plainly {}, for random words {}", first, plain, uniform));
  }
  float loss = 0;
  const double seconds = measure(state, program.cost(), [&] { loss = program.run(batch)[0].item(); });
  if (!(loss < first)) return refuse(state, fmt::format("the loss went from {} to {}", first, loss));
  const auto tokens = static_cast<double>(workload.tokens());
  state.counters["tokens/s"] = tokens / seconds;
  state.counters["Mflop/token"] = program.cost().flops / tokens * 1e-6;
  state.counters["arena_MiB"] = static_cast<double>(program.memory_plan().arena_bytes) / (1 << 20);
  state.counters["loss"] = loss;
}

}  // namespace

void register_step_benchmarks() {
  for (const Workload& workload : workloads()) {
    if (!workload.trains()) continue;
    benchmark::RegisterBenchmark(fmt::format("step/{}", workload.name).c_str(),
                                 [&workload](benchmark::State& state) { run_workload(state, workload); })
        ->UseManualTime()
        ->MinTime(1.0)
        ->Unit(benchmark::kMillisecond);
  }
}

}  // namespace eddy::bench
