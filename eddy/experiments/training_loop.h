// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <optional>

#include "eddy/core/clock.h"
#include "eddy/experiments/run_training.h"
#include "eddy/experiments/text_trainer.h"

namespace eddy {

/// The course of a training run: steps, evaluations and checkpoints until a limit or a signal ends it. Derive from it
/// to say what each of them is. Checkpoint, output and log agree at any moment at which the process may be killed: a
/// run that goes on has the bits of one that was never stopped. `settings` must outlive it; one thread.
class TrainingLoop {
 public:
  virtual ~TrainingLoop() = default;

 protected:
  /// When a run validates and where it ends; all but `epochs` may be 0: no such limit.
  struct Course {
    std::int64_t epochs = 0, steps = 0;
    double seconds = 0;
    std::int64_t patience = 0;             ///< validations without a better one
    std::int64_t evaluation_interval = 0;  ///< steps; 0: an epoch
  };
  template <class Config>
  static Course course_of(const Config& config, std::int64_t evaluation_interval) {
    return {.epochs = config.epochs,
            .steps = config.max_steps,
            .seconds = config.max_seconds,
            .patience = config.patience,
            .evaluation_interval = evaluation_interval};
  }
  /// `seconds_before`: of the run that is resumed. After `most_skipped` steps in a row without an update training has
  /// failed for good.
  TrainingLoop(const RunSettings& settings, const Course& course, double seconds_before, int most_skipped)
      : settings_(settings), course_(course), seconds_before_(seconds_before), most_skipped_(most_skipped) {}

  ProgressOptions progress_options(std::string label, std::int64_t steps_done, std::int64_t batches_per_epoch) const;

  /// Says so where the learning rate never comes to its height: the warm-up takes all steps.
  void warn_of_warm_up(std::int64_t warm_up_steps, std::int64_t batches_per_epoch) const;
  /// Trains until it ends; then everything is on disk.
  StopReason run_loop();
  /// Of training and evaluation, those before a resume too.
  double seconds() const { return seconds_before_ + steady_seconds() - start_; }
  /// For evaluate(). Throws Error for weights that are not finite.
  void save_output();
  /// Called for each step. Throws Error when the gradients of step `number` and many before it were not finite; when
  /// those of no step were, run_loop() does.
  void check_gradients(const StepResult& step, std::int64_t number, double learning_rate);

 private:
  /// Of the whole course, but for limits of time and patience.
  std::int64_t total_steps(std::int64_t batches_per_epoch) const {
    const std::int64_t steps = course_.epochs * batches_per_epoch;
    return course_.steps > 0 ? std::min(course_.steps, steps) : steps;
  }

  virtual std::int64_t steps_done() const = 0;
  /// Of the next batch.
  virtual BatchPosition position() const = 0;
  virtual const ValidationRecord& validations() const = 0;
  /// The next validation is then the best one so far.
  virtual void forget_best() = 0;
  /// Parameters and the optimizer's variables.
  virtual const ParameterStore& weights() const = 0;
  /// Whether there is a validation that chooses the model in the output.
  virtual bool chooses_best() const = 0;
  /// Whether evaluate() is called as training goes on, too.
  virtual bool evaluates() const { return chooses_best(); }
  /// Called once, when the checkpoint is that of this run. A run that goes on drops from its log what came after it.
  virtual void open_log() = 0;
  virtual void train_step() = 0;
  /// Saves the output when the model is the best so far or none is chosen. May throw Interrupted; a resumed run then
  /// begins it again.
  virtual void evaluate() = 0;
  virtual void write_output() = 0;
  /// Steps that the model in a file has trained for.
  virtual std::int64_t steps_of(const std::filesystem::path& file) const = 0;
  /// Writes the output anew from a file that has the model of the best step, with the limits of this run.
  virtual void restore_output(const std::filesystem::path& file) = 0;
  virtual void write_checkpoint() = 0;
  /// After the last checkpoint: lines that a run which goes on writes anew, of more steps.
  virtual void end_log() {}

  std::optional<StopReason> reason_to_stop() const;
  bool evaluation_due() const;
  bool evaluated() const { return validations().evaluated_step == steps_done(); }
  /// Of the model in the output; nothing while no validation has chosen one.
  std::optional<std::int64_t> best_step() const;
  void begin();
  /// False when no file has the best model.
  bool restore_best();
  StopReason train();
  /// The output must exist after a finished run, and be that of the best state that is known, its last one among them.
  void finish();
  bool checkpoint_due() const;
  void save_checkpoint();
  void check_any_update() const;
  /// Weights that are not finite, as decay and rate can make them, must not take the place of better ones in a file.
  void check_weights() const;

  const RunSettings& settings_;
  Course course_;
  double seconds_before_;
  int most_skipped_;
  int skipped_ = 0;
  double start_ = steady_seconds();
  double saved_ = steady_seconds();
};

}  // namespace eddy
