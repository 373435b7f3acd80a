// SPDX-License-Identifier: Apache-2.0
#include "eddy/experiments/command_experiment.h"

#include <fmt/core.h>

#include <memory>

#include "eddy/core/cpu.h"
#include "eddy/core/error.h"
#include "eddy/core/file.h"
#include "eddy/core/interrupt.h"
#include "eddy/experiments/progress.h"
#include "eddy/experiments/report.h"

namespace eddy {
namespace {

struct Prepared {
  CLI::App* app = nullptr;
  std::function<ExperimentRun()> make_run;
};

/// Does the work while no other run may write the folder.
int work_in_folder(const ExperimentRun& run, const CommandLine& line) {
  const OutputLock lock = OutputLock::of_folder(run.output);
  check_experiment_folder(run.output);
  try {
    return run.work();
  } catch (const Interrupted&) {
    show_text(stderr, fmt::format("Interrupted. What was done is kept; this command goes on where it was:\n  {}\n",
                                  line.without("--force")));
    return 128 + interrupt_signal();
  }
}

int run(const Prepared& experiment, const CommandLine& line) {
  const ExperimentRun run = experiment.make_run();
  show_text(stdout, fmt::format("eddy experiment {}: {}\n", experiment.app->get_name(), describe_cpu()));
  if (run.output.empty()) return run.work();
  show_text(stdout, fmt::format("report folder {}\n", run.output.string()));
  std::error_code error;
  const bool there = std::filesystem::exists(run.output, error);
  try {
    return work_in_folder(run, line);
  } catch (const Error&) {
    // What was refused before anything was done leaves no empty folder; one that holds something stays.
    if (!there) std::filesystem::remove(run.output, error);
    throw;
  }
}

}  // namespace

Command add_experiment_command(CLI::App& program, const CommandLine& line) {
  CLI::App* app = program.add_subcommand("experiment", "Run a whole experiment: data to report, with one command");
  app->require_subcommand(1);
  auto prepared = std::make_shared<std::vector<Prepared>>();
  for (const Experiment& experiment : experiments()) {
    CLI::App* one = app->add_subcommand(experiment.name, experiment.summary);
    add_computing_flags(*one);
    prepared->push_back({one, experiment.prepare(*one, line)});
  }
  const auto run_chosen = [prepared, &line] {
    for (const Prepared& experiment : *prepared)
      if (experiment.app->parsed()) return run(experiment, line);
    return 0;
  };
  return {app, run_chosen};
}

}  // namespace eddy
