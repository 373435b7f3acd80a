// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

#include "eddy/core/clock.h"
#include "eddy/experiments/run_training.h"
#include "eddy/experiments/text_trainer.h"

namespace eddy {

/// The course of a training run: steps, evaluations and checkpoints until a limit or a signal ends it. Derive from it
/// to say what each of them is. `settings` must outlive it; one thread.
class TrainingLoop {
 public:
  virtual ~TrainingLoop() = default;

 protected:
  /// `seconds_before`: of the run that is resumed. After `most_skipped` steps in a row without an update training has
  /// failed for good.
  TrainingLoop(const RunSettings& settings, double seconds_before, int most_skipped)
      : settings_(settings), seconds_before_(seconds_before), most_skipped_(most_skipped) {}

  /// Trains until it ends; then everything is on disk.
  StopReason run_loop();
  /// Of training and evaluation, those before a resume too.
  double seconds() const { return seconds_before_ + steady_seconds() - start_; }
  /// Throws Error when the gradients of step `number` and many before it were not finite.
  void check_gradients(const StepResult& step, std::int64_t number, double learning_rate);

 private:
  virtual std::int64_t steps_done() const = 0;
  virtual std::optional<StopReason> reason_to_stop() const = 0;
  virtual void train_step() = 0;
  virtual bool evaluation_due() const = 0;
  /// May throw Interrupted; a resumed run then begins it again.
  virtual void evaluate() = 0;
  virtual void write_checkpoint() = 0;
  /// Before the last checkpoint.
  virtual void end_log() {}
  /// What the output is owed after a run that no signal ended.
  virtual void finish() = 0;

  StopReason train();
  bool checkpoint_due() const;
  void save_checkpoint();

  const RunSettings& settings_;
  double seconds_before_;
  int most_skipped_;
  int skipped_ = 0;
  double start_ = steady_seconds();
  double saved_ = steady_seconds();
};

}  // namespace eddy
