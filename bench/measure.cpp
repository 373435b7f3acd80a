// SPDX-License-Identifier: Apache-2.0
#include "bench/measure.h"

#include <algorithm>

#include "eddy/core/peak.h"
#include "eddy/core/threads.h"

namespace eddy::bench {

void Machine::sample() {
  peak_ = std::max(peak_, sampled_fma_peak());
  for (int attempt = 0; attempt < 3; ++attempt) bandwidth_ = std::max(bandwidth_, measure_copy_bandwidth(0.003));
}

double measure(benchmark::State& state, const Cost& cost, const std::function<void()>& body,
               const std::function<void()>& between) {
  Machine machine;
  machine.sample();
  body();  // caches and branch predictors warm
  std::vector<double> seconds;
  double since_sample = 0;
  for ([[maybe_unused]] auto _ : state) {
    const double elapsed = seconds_of(body);
    state.SetIterationTime(elapsed);
    seconds.push_back(elapsed);
    if (between) between();
    since_sample += elapsed;
    if (since_sample < 0.1) continue;
    machine.sample();
    since_sample = 0;
  }
  machine.sample();
  const double typical = median(seconds);
  if (typical <= 0 || cost.bytes <= 0) return typical;
  state.counters["GFLOP/s"] = cost.flops / typical * 1e-9;
  state.counters["%peak"] = 100 * cost.flops / typical / machine.peak();
  state.counters["GB/s"] = cost.bytes / typical * 1e-9;
  state.counters["%copy"] = 100 * cost.bytes / typical / machine.bandwidth();
  return typical;
}

namespace {
bool refused = false;
}

void refuse(benchmark::State& state, const std::string& why) {
  refused = true;
  state.SkipWithError(why.c_str());
}

bool anything_refused() { return refused; }

std::vector<Tensor> copies(std::span<const Tensor> tensors) {
  std::vector<Tensor> result;
  for (const Tensor& tensor : tensors) result.push_back(tensor.clone());
  return result;
}

std::vector<Tensor> plain_results(const Graph& graph, const std::vector<Value>& results,
                                  std::span<const Binding> bindings) {
  const int threads = num_threads();
  set_num_threads(1);
  Program plain = compile(
      graph, results, {.passes = {true, false, false, false, false, false}, .reuse_memory = false, .in_place = false});
  std::vector<Tensor> expected = copies(plain.run(bindings));
  set_num_threads(threads);
  return expected;
}

}  // namespace eddy::bench
