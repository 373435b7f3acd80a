// SPDX-License-Identifier: Apache-2.0
#include "eddy/experiments/training_loop.h"

#include "eddy/core/error.h"
#include "eddy/experiments/progress_interrupt.h"

namespace eddy {

StopReason TrainingLoop::run_loop() {
  StopReason reason = StopReason::interrupt;
  try {
    reason = train();
  } catch (const Interrupted&) {
    // In the midst of an evaluation.
  }
  end_log();
  // The checkpoint comes first: an evaluation that only the end of the run asks for must not steer a continued run.
  save_checkpoint();
  try {
    if (reason != StopReason::interrupt) finish();
  } catch (const Interrupted&) {
    reason = StopReason::interrupt;
  }
  return reason;
}

StopReason TrainingLoop::train() {
  // The run that is resumed may have been stopped in the midst of it.
  if (evaluation_due()) evaluate();
  for (;;) {
    if (const auto reason = reason_to_stop()) return *reason;
    train_step();
    if (evaluation_due()) evaluate();
    if (checkpoint_due()) save_checkpoint();
  }
}

bool TrainingLoop::checkpoint_due() const {
  if (settings_.checkpoint_steps > 0 && steps_done() % settings_.checkpoint_steps == 0) return true;
  return settings_.checkpoint_seconds > 0 && steady_seconds() - saved_ >= settings_.checkpoint_seconds;
}

void TrainingLoop::save_checkpoint() {
  write_checkpoint();
  saved_ = steady_seconds();
}

void TrainingLoop::check_gradients(const StepResult& step, std::int64_t number, double learning_rate) {
  skipped_ = step.skipped ? skipped_ + 1 : 0;
  require<Error>(
      skipped_ < most_skipped_,
      "the gradients were not finite in each of the last {} steps, up to step {}; try a learning rate below {}",
      skipped_, number, learning_rate);
}

}  // namespace eddy
