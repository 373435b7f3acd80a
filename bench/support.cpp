// SPDX-License-Identifier: Apache-2.0
#include "support.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "eddy/core/peak.h"

namespace eddy::bench {

double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double fma_peak() { return measure_fma_peak(); }
double copy_bandwidth() { return measure_copy_bandwidth(); }

void set_rates(benchmark::State& state, double seconds, double flops, double bytes) {
  if (seconds <= 0) return;
  if (flops > 0) {
    state.counters["GFLOP/s"] = flops / seconds * 1e-9;
    state.counters["%peak"] = 100 * flops / seconds / fma_peak();
  }
  if (bytes > 0) {
    state.counters["GB/s"] = bytes / seconds * 1e-9;
    state.counters["%copy"] = 100 * bytes / seconds / copy_bandwidth();
  }
}

double median(std::vector<double> seconds) {
  if (seconds.empty()) return 0;
  std::ranges::sort(seconds);
  return seconds[seconds.size() / 2];
}

bool same_results(benchmark::State& state, Program& program, Program& plain, std::span<const Binding> bindings) {
  const Tensor got = program.run(bindings)[0].clone();
  const Tensor expected = plain.run(bindings)[0];
  if (got.dtype() != f32) return true;
  for (std::int64_t i = 0; i < got.elements(); ++i) {
    const float a = got.values<const float>()[static_cast<std::size_t>(i)];
    const float b = expected.values<const float>()[static_cast<std::size_t>(i)];
    if (std::isfinite(a) && std::abs(a - b) <= 1e-3f * (1 + std::abs(b))) continue;
    state.SkipWithError(fmt::format("element {} is {}, the plain program gives {}", i, a, b).c_str());
    return false;
  }
  return true;
}

CompileOptions plain_options() {
  CompileOptions options;
  options.passes = {.prune = false, .simplify = false, .fold = false, .cse = false};
  options.reuse_memory = false;
  options.in_place = false;
  return options;
}

}  // namespace eddy::bench
