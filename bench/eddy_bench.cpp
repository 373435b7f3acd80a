// SPDX-License-Identifier: Apache-2.0
// Benchmarks of ops, recurrent layers, training steps and the executor. Every result is checked before it is timed.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "bench/benchmarks.h"
#include "bench/measure.h"
#include "bench/positive_number.h"
#include "eddy/core/cpu.h"
#include "eddy/core/error.h"
#include "eddy/core/peak.h"
#include "eddy/core/precision.h"
#include "eddy/core/threads.h"

namespace {

constexpr const char* kHelp =
    "eddy_bench [--op NAME [--shape SHAPES]...] [--problem SHAPE]... [--threads N] [--precision P] [options of Google "
    "Benchmark]\n"
    "eddy_bench --list-ops\n"
    "  --op NAME        time one op only, forward and in training: a case of --list-ops, or the name of an op for all\n"
    "                   its cases that are timed\n"
    "  --shape SHAPES   the inputs of that op, as 'f32[3200,512],i32[3200]' (types f32, i32, bool; [] is a scalar), "
    "in\n"
    "                   place of the case's own; may be repeated; of several cases those count that take it. Ops "
    "whose\n"
    "                   result has a size of its own (one_hot, broadcast_to, random_normal) take it from the shape of\n"
    "                   their last input\n"
    "  --list-ops       print every op case with its inputs in tests and in benchmarks, and end\n"
    "  --problem SHAPE  time LSTM and GRU layers of this shape only: 100x32x256x512 (time x batch x input x hidden) "
    "or\n"
    "                   a problem of benchdnn, l1t50mb64sic500; may be repeated\n"
    "  --threads N      size of the thread team; default: the processors this process may run on\n"
    "  --precision P    of products on AMX: medium, high or highest, the default\n"
    "Names: op/NAME/forward, layer/lstm/training/SHAPE, step/lm_small, update/adam, executor/...; "
    "pick with --benchmark_filter=REGEX.\n"
    "Counters: %peak and %copy are shares of this machine's own FMA peak and copy bandwidth, measured between "
    "iterations;\n"
    "x_oneDNN above 1 means faster than the raw primitive, timed in alternation.\n"
    "Every result is checked first; one that is wrong is not timed, and makes the exit code 1.\n\n";

struct Wanted {
  std::string op;
  std::vector<std::string> shapes;
  std::vector<eddy::bench::LayerShape> problems;
  bool list_ops = false;

  bool everything() const { return op.empty() && problems.empty(); }
};

/// Takes eddy's own flags out of the arguments; `rest` are Google Benchmark's.
Wanted wanted_from(int argc, char** argv, std::vector<char*>& rest) {
  Wanted wanted;
  for (int i = 0; i < argc; ++i) {
    const std::string_view argument = argv[i];
    // The value of --flag=VALUE or --flag VALUE.
    std::string_view value;
    const auto is = [&](std::string_view flag) {
      if (!argument.starts_with(flag)) return false;
      if (argument.size() > flag.size() && argument[flag.size()] != '=') return false;
      if (argument.size() > flag.size())
        value = argument.substr(flag.size() + 1);
      else if (i + 1 < argc)
        value = argv[++i];
      eddy::require<eddy::UsageError>(!value.empty(), "{} needs a value; see --help", flag);
      return true;
    };
    if (argument == "--list-ops") {
      wanted.list_ops = true;
    } else if (is("--op")) {
      eddy::require<eddy::UsageError>(wanted.op.empty(), "--op is given twice, {} and {}", wanted.op, value);
      wanted.op = value;
    } else if (is("--shape")) {
      std::string& shapes = wanted.shapes.emplace_back(value);
      std::erase(shapes, ' ');
    } else if (is("--problem")) {
      wanted.problems.push_back(eddy::bench::parse_layer_shape(value));
    } else if (is("--threads")) {
      eddy::set_num_threads(eddy::bench::threads_from(value));
    } else if (is("--precision")) {
      eddy::set_matmul_precision(eddy::precision_of(value));
    } else {
      if (argument == "--help") std::fputs(kHelp, stdout);
      rest.push_back(argv[i]);
    }
  }
  eddy::require<eddy::UsageError>(!wanted.op.empty() || wanted.shapes.empty(),
                                  "--shape {} belongs to an op; name it with --op, see --list-ops",
                                  fmt::join(wanted.shapes, " --shape "));
  return wanted;
}

int run(int argc, char** argv) {
  std::vector<char*> rest;
  const Wanted wanted = wanted_from(argc, argv, rest);
  if (wanted.list_ops) {
    std::fputs(eddy::bench::op_case_list().c_str(), stdout);
    return 0;
  }
  int count = static_cast<int>(rest.size());
  benchmark::Initialize(&count, rest.data());
  if (benchmark::ReportUnrecognizedArguments(count, rest.data())) return 1;
  if (wanted.everything()) {
    eddy::bench::register_op_benchmarks();
    eddy::bench::register_executor_benchmarks();
    eddy::bench::register_step_benchmarks();
    eddy::bench::register_update_benchmarks();
  }
  if (!wanted.op.empty()) eddy::bench::register_op_benchmarks(wanted.op, wanted.shapes);
  if (wanted.op.empty() || !wanted.problems.empty()) eddy::bench::register_layer_benchmarks(wanted.problems);
  benchmark::AddCustomContext("machine", eddy::describe_cpu());
  benchmark::AddCustomContext("FMA peak", fmt::format("{:.1f} GFLOP/s", eddy::measure_fma_peak() * 1e-9));
  benchmark::AddCustomContext("copy bandwidth", fmt::format("{:.1f} GB/s", eddy::measure_copy_bandwidth() * 1e-9));
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return eddy::bench::anything_refused() ? 1 : 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const eddy::Error& error) {
    fmt::print(stderr, "eddy_bench: {}\n", error.what());
    return 1;
  } catch (const std::exception& error) {
    fmt::print(stderr, "eddy_bench: {}; are the shapes too large for this machine?\n", error.what());
    return 1;
  }
}
