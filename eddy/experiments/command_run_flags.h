// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "eddy/core/error.h"
#include "eddy/core/file.h"
#include "eddy/experiments/command.h"
#include "eddy/experiments/report.h"
#include "eddy/experiments/run_training.h"

/// Part of the program `eddy`, for its main thread. The app must outlive what refers to it.
namespace eddy {

/// The files of a training run, whether it begins or goes on, and what it says: flags and checks of every command that
/// trains. CLI11 holds addresses into it: it neither moves nor copies.
class RunFlags {
 public:
  RunFlags(CLI::App& app, const CommandLine& line);
  RunFlags(const RunFlags&) = delete;
  RunFlags& operator=(const RunFlags&) = delete;

  /// From here on no other run may have the output. Throws unless it can be written, as the report can, and there is a
  /// checkpoint to go on from, or nothing that would be lost.
  void claim();
  /// UsageError when the run would write over one of what it reads, or into it. Then makes the folder of --tensorboard.
  void require_no_input(const std::vector<std::filesystem::path>& inputs) const;
  /// UsageError naming what differs between two configs as JSON: that of the checkpoint and the one of the flags.
  void require_unchanged(const std::string& saved, const std::string& wanted) const;

  RunSettings settings() const;
  std::filesystem::path checkpoint() const { return checkpoint_path(output); }
  /// On standard error, unless --quiet.
  void say(const std::string& message) const;
  /// Tells how to go on after a signal; returns the exit status.
  int interrupted(std::int64_t steps) const;
  /// With --report writes what `make` returns; without it does nothing. A signal ends it: then it names `otherwise`, a
  /// command that makes the report too. Returns the exit status.
  int write_report(const std::function<Report()>& make, std::string_view otherwise) const;

  std::string output;
  bool resume = false;

 private:
  std::vector<std::filesystem::path> written() const;

  CommandLine line_;
  bool overwrite_ = false;
  bool quiet_ = false;
  double checkpoint_minutes_ = 10;
  std::int64_t checkpoint_steps_ = 0;
  std::int64_t log_steps_ = 10;
  std::string report_, tensorboard_;
  std::unique_ptr<const OutputLock> lock_;
};

/// Throws UsageError when the epochs of a run that goes on have been changed to fewer than it has had. Fewer steps end
/// it.
template <class Config, class Progress>
void check_limits(const Config& before, const Config& wanted, const Progress& progress) {
  require<UsageError>(wanted.epochs >= progress.position.epoch || wanted.epochs == before.epochs,
                      "--epochs is {}, but {} have been trained", wanted.epochs, progress.position.epoch);
}

}  // namespace eddy
