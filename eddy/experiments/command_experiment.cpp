// SPDX-License-Identifier: Apache-2.0
#include "eddy/experiments/command_experiment.h"

#include <fmt/core.h>

#include <memory>

namespace eddy {
namespace {

struct Prepared {
  CLI::App* app = nullptr;
  std::function<int()> run;
};

}  // namespace

Command add_experiment_command(CLI::App& program, const CommandLine& line) {
  CLI::App* app = program.add_subcommand("experiment", "Run a whole experiment: data to report, with one command");
  auto prepared = std::make_shared<std::vector<Prepared>>();
  for (const Experiment& experiment : experiments()) {
    CLI::App* one = app->add_subcommand(experiment.name, experiment.summary);
    add_thread_flag(*one);
    prepared->push_back({one, experiment.prepare(*one, line)});
  }
  const auto run = [app, prepared] {
    for (const Prepared& experiment : *prepared)
      if (experiment.app->parsed()) return experiment.run();
    // No name: say which there are.
    fmt::print("{}", app->help());
    return 0;
  };
  return {app, run};
}

}  // namespace eddy
