// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "eddy/experiments/command.h"
#include "eddy/experiments/command_data_flags.h"
#include "eddy/experiments/command_flags.h"
#include "eddy/experiments/command_run_flags.h"
#include "eddy/experiments/run_model.h"
#include "eddy/experiments/validation_split.h"

/// Part of the program `eddy`, for its main thread. The app must outlive what refers to it.
namespace eddy {

/// Gives the model the sizes and names that follow from the data. Throws DataError for a classifier of fewer than two
/// classes.
void fit_to_data(ModelFile& model, const EncodedDataset& data);

/// What pretrain and finetune have in common: flags, new runs, resumed runs, the run itself.
struct TrainingCommand {
  TrainingCommand(CLI::App& app, const CommandLine& line, TrainingConfig defaults);

  /// The run that the flags ask for: that of the checkpoint with --resume, else a new one of the
  /// defaults and of what the model of --from decides. From here on no other run may have the output. UsageError for
  /// flags that do not go together, for an output that is among what is read or belongs to another run.
  ModelFile plan(const ModelFile& defaults);
  /// Where the task of the planned run came from, for errors.
  std::string origin() const;
  /// Loads the data, trains, reports. Returns the exit status.
  int train(ModelFile model);

  const CLI::App& app;
  const CommandLine line;
  RunFlags run;
  DataFlags data;
  TextFlags text;
  FlagSet<TrainingConfig> config;
  std::string config_file;
  std::string from;

 private:
  ModelFile started(const ModelFile& defaults);
  ModelFile resumed();
  EncodedDataset load(ModelFile& model) const;
  void fill(ParameterStore& store, const ModelFile& model) const;
};

}  // namespace eddy
