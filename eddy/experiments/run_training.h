// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "eddy/experiments/progress.h"
#include "eddy/experiments/run_model.h"
#include "eddy/experiments/text_trainer.h"

namespace eddy {

struct RunSettings {
  std::filesystem::path output;       ///< the model; checkpoint and log stand beside it
  double checkpoint_seconds = 600;    ///< between checkpoints; 0: only at the beginning and at the end
  std::int64_t checkpoint_steps = 0;  ///< also after so many steps; 0: not
  std::int64_t log_steps = 10;        ///< steps that one line of the log sums up
  std::filesystem::path tensorboard;  ///< folder for an event file with what the log has; empty: none
  ProgressStyle progress = ProgressStyle::automatic;
  std::string label;  ///< of the progress line; empty: the task
  /// Of classifiers with equal error rates the later one is the better, not the one of smaller loss: with few documents
  /// the error has few values, and longer training is the safer choice.
  bool of_equals_the_later = false;
};

enum class StopReason { epochs, steps, seconds, patience, interrupt };

struct RunOutcome {
  StopReason reason = StopReason::epochs;
  RunProgress progress;
  std::optional<Evaluation> best;  ///< validation of the model in the output
  std::int64_t best_step = 0;
  double tokens_per_second = 0;  ///< of this process
};

/// Trains until a limit of the config, the patience or a signal (see InterruptGuard) ends it. Evaluates on `validation`
/// documents of `corpus`, keeps the best model in `settings.output` (the last one without validation), writes
/// checkpoints and the log. A signal cuts an evaluation short; going on begins with it. `model.progress` says where to
/// go on; the trainer's store must be that of its checkpoint. Throws Error when the gradients stay infinite or NaN. One
/// thread; keeps no reference to its arguments.
RunOutcome run_training(TextTrainer& trainer, const EncodedCorpus& corpus, const std::vector<std::int32_t>& validation,
                        ModelFile model, const RunSettings& settings);

/// "after 10 epochs", "by Ctrl-C" and so on.
std::string to_string(StopReason reason, std::int64_t epochs, std::int64_t max_steps, double max_seconds,
                      std::int64_t patience);
/// By the limits of a config of any kind of run.
template <class Config>
std::string to_string(StopReason reason, const Config& config) {
  return to_string(reason, config.epochs, config.max_steps, config.max_seconds, config.patience);
}

}  // namespace eddy
