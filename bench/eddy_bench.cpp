// SPDX-License-Identifier: Apache-2.0
// eddy_bench: ops, recurrent layers and whole training steps. Pick with --benchmark_filter=layer/lstm; counters are
// GFLOP/s and GB/s with their shares of this process's own FMA peak and copy bandwidth.
#include <fmt/core.h>

#include "eddy/core/cpu.h"
#include "support.h"

int main(int argc, char** argv) {
  using namespace eddy;
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  fmt::print(stderr, "{}\nFMA peak {:.1f} GFLOP/s, copy bandwidth {:.1f} GB/s\n", describe_cpu(),
             bench::fma_peak() * 1e-9, bench::copy_bandwidth() * 1e-9);
  bench::register_ops();
  bench::register_layers();
  bench::register_steps();
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
