// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "eddy/experiments/log_window.h"
#include "eddy/experiments/run_log.h"
#include "eddy/experiments/run_training.h"
#include "eddy/experiments/tensorboard.h"

namespace eddy {

/// What a training run writes down as it goes: the log beside its output and, where the settings ask for one, an event
/// file with the same. One thread at a time.
class RunRecords {
 public:
  /// How far the run has come when a line is written.
  struct Moment {
    std::int64_t steps = 0;
    double epochs = 0;
    std::int64_t tokens = 0;  ///< of all steps
    double seconds = 0;
  };

  /// For a run that begins or goes on after `steps` steps, those of `window` not yet in the log, with its last
  /// validation after `evaluated_step`. DataError when a file cannot be written.
  RunRecords(const RunSettings& settings, std::int64_t steps, const LogWindow& window, std::int64_t evaluated_step);

  void write(std::int64_t step, const std::vector<RunLog::Field>& fields);
  /// A line for the steps of the window, which is empty from then on; nothing when there were none.
  void write(const Moment& now, LogWindow& window);

 private:
  RunLog log_;
  std::optional<TensorBoardWriter> tensorboard_;
};

}  // namespace eddy
