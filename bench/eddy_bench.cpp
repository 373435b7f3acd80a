// SPDX-License-Identifier: Apache-2.0
// Benchmarks of ops, recurrent layers, training steps and the executor. Every result is checked before it is timed.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <charconv>
#include <cstdio>

#include "bench/benchmarks.h"
#include "eddy/core/cpu.h"
#include "eddy/core/error.h"
#include "eddy/core/peak.h"
#include "eddy/core/threads.h"

namespace {

constexpr const char* kHelp =
    "eddy_bench [--problem=SHAPE]... [--threads=N] [options of Google Benchmark]\n"
    "  --problem=SHAPE  time LSTM and GRU layers of this shape only: 100x32x256x512 (time x batch x input x hidden) "
    "or\n"
    "                   a problem of benchdnn, l1t50mb64sic500; may be repeated\n"
    "  --threads=N      size of the thread team; default: the processors this process may run on\n"
    "Names: op/NAME/forward, layer/lstm/training/SHAPE, step/lm_small, executor/...; pick with "
    "--benchmark_filter=REGEX.\n"
    "Counters: %peak and %copy are shares of this machine's own FMA peak and copy bandwidth, measured between "
    "iterations;\n"
    "x_oneDNN above 1 means faster than the raw primitive, timed in alternation.\n\n";

int threads_from(std::string_view text) {
  int threads = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), threads);
  eddy::require<eddy::UsageError>(error == std::errc() && end == text.data() + text.size() && threads >= 1,
                                  "--threads must be a positive number, not '{}'", text);
  return threads;
}

int run(int argc, char** argv) {
  std::vector<eddy::bench::LayerShape> problems;
  std::vector<char*> rest;
  for (int i = 0; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument.starts_with("--problem=")) {
      problems.push_back(eddy::bench::parse_layer_shape(argument.substr(10)));
    } else if (argument.starts_with("--threads=")) {
      eddy::set_num_threads(threads_from(argument.substr(10)));
    } else {
      if (argument == "--help") std::fputs(kHelp, stdout);
      rest.push_back(argv[i]);
    }
  }
  int count = static_cast<int>(rest.size());
  benchmark::Initialize(&count, rest.data());
  if (benchmark::ReportUnrecognizedArguments(count, rest.data())) return 1;
  benchmark::AddCustomContext("machine", eddy::describe_cpu());
  benchmark::AddCustomContext("FMA peak", fmt::format("{:.1f} GFLOP/s", eddy::measure_fma_peak() * 1e-9));
  benchmark::AddCustomContext("copy bandwidth", fmt::format("{:.1f} GB/s", eddy::measure_copy_bandwidth() * 1e-9));
  if (problems.empty()) {
    eddy::bench::register_op_benchmarks();
    eddy::bench::register_executor_benchmarks();
    eddy::bench::register_step_benchmarks();
  }
  eddy::bench::register_layer_benchmarks(problems);
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const eddy::Error& error) {
    fmt::print(stderr, "eddy_bench: {}\n", error.what());
    return 1;
  }
}
