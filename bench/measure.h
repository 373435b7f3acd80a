// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <benchmark/benchmark.h>

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "bench/mismatch.h"
#include "bench/timing.h"
#include "eddy/graph/op.h"
#include "eddy/graph/program.h"

namespace eddy::bench {

/// Bests of FMA peak (flop/s) and copy bandwidth (bytes/s), measured while a benchmark runs: a shared machine changes
/// from minute to minute, so shares are taken of what it could do at that moment.
class Machine {
 public:
  /// Measures both for a few milliseconds.
  void sample();
  double peak() const { return peak_; }
  double bandwidth() const { return bandwidth_; }

 private:
  double peak_ = 0;
  double bandwidth_ = 0;
};

/// Runs the loop of a benchmark with `body` timed by hand (register it with UseManualTime), samples the machine
/// between iterations, and sets the counters GFLOP/s, %peak, GB/s and %copy from the cost of one iteration.
/// `between` runs untimed after each iteration. Returns the median seconds.
double measure(benchmark::State& state, const Cost& cost, const std::function<void()>& body,
               const std::function<void()>& between = {});

/// Marks a benchmark as wrong instead of timing it; the program then ends with an error code.
void refuse(benchmark::State& state, const std::string& why);
bool anything_refused();

std::vector<Tensor> copies(std::span<const Tensor> tensors);

/// Plain execution to check against: no pass, no memory reused, nothing in place, one thread.
std::vector<Tensor> plain_results(const Graph& graph, const std::vector<Value>& results,
                                  std::span<const Binding> bindings);

}  // namespace eddy::bench
