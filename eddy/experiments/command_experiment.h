// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <vector>

#include "eddy/experiments/command.h"

namespace eddy {

/// A recipe that `eddy experiment NAME` runs. `prepare` adds its flags to the subcommand and returns what runs once
/// they are parsed; every experiment also gets --threads.
struct Experiment {
  std::string name;
  std::string summary;
  std::function<std::function<int()>(CLI::App& app, const CommandLine& line)> prepare;
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
