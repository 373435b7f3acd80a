// SPDX-License-Identifier: Apache-2.0
// One workload in a process of its own, at the command of a driver: see kHelp.
#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <iostream>
#include <sstream>
#include <string>

#include "bench/positive_number.h"
#include "bench/timing.h"
#include "bench/workload.h"
#include "eddy/core/cpu.h"
#include "eddy/core/error.h"
#include "eddy/core/precision.h"
#include "eddy/core/threads.h"
#include "eddy/experiments/memory_use.h"

namespace eddy::bench {
namespace {

constexpr const char* kHelp =
    "eddy_workloads NAME [--threads=N] [--precision=P] [--weights=FILE] [--lengths=spread]\n"
    "eddy_workloads --list    names and sizes\n"
    "Runs one workload at the command of its standard input, one a line; the answer to each is a line of JSON.\n"
    "  values N      the losses of N steps of training; of inference the results, N is ignored\n"
    "  time SECONDS  steps for that long, five at least: their number and median, the FMA peak measured between them "
    "(flop/s)\n"
    "  memory        the most memory the process held so far, in bytes, what it held at its start (its libraries), "
    "and the program's arena\n"
    "  compile       seconds to build and compile the program again, and one for texts a tenth shorter\n"
    "  quit          as does the end of the input\n"
    "Options:\n"
    "  --threads=N       default: the processors this process may run on\n"
    "  --precision=P     of products on AMX: medium, high or highest, the default\n"
    "  --weights=FILE    weights and batch from an .npz archive or safetensors file instead of random ones\n"
    "  --lengths=spread  texts of 1 to T words, evenly spread, instead of T\n";

double number_from(const std::string& text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  require<UsageError>(error == std::errc() && end == text.data() + text.size() && number > 0,
                      "'{}' is not a positive number", text);
  return number;
}

/// However short the time, so that a median is one; the peers do the same.
constexpr std::size_t kLeastSteps = 5;

class Session {
 public:
  Session(const Workload& workload, const std::string& weights, Lengths lengths)
      : workload_(workload), batch_(random_batch(workload, lengths)), program_(compiled(workload)) {
    if (!weights.empty()) load_arrays(weights, store_, batch_);
  }

  std::string answer(const std::string& command, const std::string& argument) {
    if (command == "values") return values(number_from(argument));
    if (command == "time") return time(number_from(argument));
    if (command == "memory") return memory();
    if (command == "compile") return compile_times();
    fail<UsageError>("there is no command '{}'; see --help", command);
  }

 private:
  std::string values(double steps) {
    std::vector<double> found;
    if (workload_.trains()) {
      for (int i = 0; i < steps; ++i) found.push_back(program_.run(batch_)[0].item());
    } else {
      const Tensor result = program_.run(batch_)[0];
      if (result.dtype() == i32) {
        found.assign(result.values<const std::int32_t>().begin(), result.values<const std::int32_t>().end());
      } else {
        found.assign(result.values<const float>().begin(), result.values<const float>().end());
      }
    }
    return fmt::format("{{\"values\": [{}]}}", fmt::join(found, ", "));
  }

  std::string time(double seconds) {
    std::vector<double> steps;
    double spent = 0, since_peak = 0;
    double peak = sampled_fma_peak();
    program_.run(batch_);
    while (spent < seconds || steps.size() < kLeastSteps) {
      const double elapsed = seconds_of([&] { program_.run(batch_); });
      steps.push_back(elapsed);
      spent += elapsed;
      since_peak += elapsed;
      if (since_peak < 0.1) continue;
      peak = std::max(peak, sampled_fma_peak());
      since_peak = 0;
    }
    peak = std::max(peak, sampled_fma_peak());
    const std::size_t count = steps.size();
    return fmt::format("{{\"steps\": {}, \"median\": {}, \"peak\": {}}}", count, median(steps), peak);
  }

  std::string memory() const {
    return fmt::format("{{\"peak_resident\": {}, \"at_start\": {}, \"arena\": {}}}", memory_use().peak_resident,
                       at_start_, program_.memory_plan().arena_bytes);
  }

  std::string compile_times() {
    Workload shorter = workload_;
    shorter.time = std::max<std::int64_t>(1, workload_.time * 9 / 10);
    const double first = seconds_of([&] { compiled(workload_); });
    const double second = seconds_of([&] { compiled(shorter); });
    return fmt::format("{{\"first\": {}, \"second\": {}}}", first, second);
  }

  Program compiled(const Workload& workload) {
    Graph graph;
    const std::vector<Value> results = build_step(graph, store_, workload);
    return compile(graph, results, {.arena = arena_});
  }

  const std::int64_t at_start_ = memory_use().peak_resident;
  const Workload& workload_;
  ParameterStore store_{1};
  std::shared_ptr<Arena> arena_ = std::make_shared<Arena>();
  std::vector<Binding> batch_;
  Program program_;
};

void print_sizes(const Workload& w) {
  fmt::print(
      "{{\"name\": \"{}\", \"vocabulary\": {}, \"time\": {}, \"batch\": {}, \"embedding\": {}, \"hidden\": {}, "
      "\"tokens\": {}, \"flops\": {}, \"trains\": {}}}\n",
      w.name, w.vocabulary, w.time, w.batch, w.embedding, w.hidden, w.tokens(), w.flops(), w.trains());
}

int run(int argc, char** argv) {
  std::string name, weights;
  Lengths lengths = Lengths::full;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--help") {
      std::fputs(kHelp, stdout);
      return 0;
    }
    if (argument == "--list") {
      for (const Workload& workload : workloads()) print_sizes(workload);
      return 0;
    }
    if (argument.starts_with("--threads=")) {
      set_num_threads(threads_from(argument.substr(10)));
    } else if (argument.starts_with("--precision=")) {
      set_matmul_precision(precision_of(argument.substr(12)));
    } else if (argument.starts_with("--weights=")) {
      weights = argument.substr(10);
    } else if (argument == "--lengths=spread") {
      lengths = Lengths::spread;
    } else {
      require<UsageError>(name.empty() && !argument.starts_with("-"), "unexpected '{}'; see --help", argument);
      name = argument;
    }
  }
  const Workload workload = find_workload(name);
  Session session(workload, weights, lengths);
  fmt::print("{{\"workload\": \"{}\", \"threads\": {}, \"machine\": \"{}\"}}\n", workload.name, num_threads(),
             describe_cpu());
  std::fflush(stdout);
  for (std::string line; std::getline(std::cin, line) && line != "quit";) {
    std::istringstream words(line);
    std::string command, argument;
    words >> command >> argument;
    fmt::print("{}\n", session.answer(command, argument));
    std::fflush(stdout);
  }
  return 0;
}

}  // namespace
}  // namespace eddy::bench

int main(int argc, char** argv) {
  try {
    return eddy::bench::run(argc, argv);
  } catch (const eddy::Error& error) {
    fmt::print(stderr, "eddy_workloads: {}\n", error.what());
    return 1;
  }
}
