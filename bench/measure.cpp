// SPDX-License-Identifier: Apache-2.0
#include "bench/measure.h"

#include <algorithm>
#include <cmath>
#include <cstring>

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

std::string mismatch(std::span<const Tensor> got, std::span<const Tensor> expected, double tolerance) {
  if (got.size() != expected.size()) return fmt::format("{} results, expected {}", got.size(), expected.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    if (got[i].type() != expected[i].type())
      return fmt::format("result {} is {}, expected {}", i, to_string(got[i].type()), to_string(expected[i].type()));
    if (got[i].dtype() != f32) {
      if (std::memcmp(got[i].data(), expected[i].data(), got[i].bytes()) != 0)
        return fmt::format("result {} {} differs", i, to_string(got[i].type()));
      continue;
    }
    const std::span<const float> a = got[i].values<const float>();
    const std::span<const float> b = expected[i].values<const float>();
    double scale = 1e-6;
    for (const float x : b) scale = std::max(scale, std::abs(static_cast<double>(x)));
    for (std::size_t j = 0; j < a.size(); ++j)
      if (!(std::abs(static_cast<double>(a[j]) - static_cast<double>(b[j])) <= tolerance * scale))
        return fmt::format("result {} {} is {} at element {}, expected {}", i, to_string(got[i].type()), a[j], j, b[j]);
  }
  return {};
}

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
