// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "eddy/experiments/command.h"

namespace eddy {

/// What the flags of an experiment came to.
struct ExperimentRun {
  std::filesystem::path output;  ///< folder of the report, locked and checked before the work begins; empty: none
  std::function<int()> work;     ///< returns the exit status; may throw Interrupted where all that was done is kept
};

/// A recipe that `eddy experiment NAME` runs. `prepare` adds its flags to the subcommand and returns what makes a run
/// of them once they are parsed; every experiment also gets --threads and --precision.
struct Experiment {
  std::string name;
  std::string summary;
  std::function<std::function<ExperimentRun()>(CLI::App& app, const CommandLine& line)> prepare;
};

Experiment decoders_experiment();
/// One for each task of classification_tasks().
std::vector<Experiment> classification_experiments();
Experiment piglatin_experiment();
Experiment adder_experiment();
Experiment patterns_experiment();
Experiment textsum_experiment();

/// All experiments: the one list to add to.
std::vector<Experiment> experiments();

}  // namespace eddy
