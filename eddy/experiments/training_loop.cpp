// SPDX-License-Identifier: Apache-2.0
#include "eddy/experiments/training_loop.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstdio>
#include <utility>

#include "eddy/core/error.h"
#include "eddy/core/file.h"
#include "eddy/core/file_operations.h"
#include "eddy/core/interrupt.h"
#include "eddy/core/number_text.h"
#include "eddy/experiments/finite_weights.h"

namespace eddy {

namespace fs = std::filesystem;

StopReason TrainingLoop::run_loop() {
  begin();
  StopReason reason = StopReason::interrupt;
  try {
    reason = train();
  } catch (const Interrupted&) {
    // In the midst of an evaluation.
  }
  // The checkpoint comes first: what only the end of the run asks for must not steer a continued run.
  save_checkpoint();
  end_log();
  try {
    if (reason != StopReason::interrupt) finish();
  } catch (const Interrupted&) {
    reason = StopReason::interrupt;
  }
  return reason;
}

std::optional<StopReason> TrainingLoop::reason_to_stop() const {
  if (interrupted()) return StopReason::interrupt;
  if (position().epoch >= course_.epochs) return StopReason::epochs;
  if (course_.steps > 0 && steps_done() >= course_.steps) return StopReason::steps;
  if (course_.patience > 0 && validations().bad_evaluations >= course_.patience) return StopReason::patience;
  if (course_.seconds > 0 && seconds() >= course_.seconds) return StopReason::seconds;
  return std::nullopt;
}

bool TrainingLoop::evaluation_due() const {
  if (!evaluates() || steps_done() == 0 || evaluated()) return false;
  if (course_.evaluation_interval > 0) return steps_done() % course_.evaluation_interval == 0;
  return position().index == 0;
}

std::optional<std::int64_t> TrainingLoop::best_step() const {
  if (!validations().has_best) return std::nullopt;
  return validations().best_step;
}

void TrainingLoop::begin() {
  const fs::path scheduled = scheduled_path(settings_.output);
  // First of all: what an earlier run left must not be gone on with once the rest of it is gone.
  if (steps_done() == 0) save_checkpoint();
  // Without a best model so far, what is in the output stays until there is one to take its place.
  if (const auto best = best_step(); best && !restore_best()) {
    fmt::print(stderr, "{}: the best model so far, that of step {}, is no longer there; validation chooses anew\n",
               settings_.output.string(), *best);
    forget_best();
  }
  remove_file(scheduled);
  open_log();
}

bool TrainingLoop::restore_best() {
  const std::int64_t best = validations().best_step;
  for (const fs::path& file : {scheduled_path(settings_.output), settings_.output}) try {
      if (!path_exists(file)) continue;
      const std::int64_t steps = steps_of(file);
      if (steps == best) restore_output(file);
      // A run that was killed before its checkpoint leaves a later one, which is made again.
      if (steps == best || steps > steps_done() || (steps == steps_done() && evaluation_due())) return true;
    } catch (const DataError&) {
      // Damaged or no model at all; the checkpoint needs none to go on.
    }
  return false;
}

void TrainingLoop::finish() {
  if (!evaluated()) {
    // The run may go on, and then only evaluations that were due count: their best model is kept for it.
    const fs::path scheduled = scheduled_path(settings_.output);
    const auto best = best_step();
    if (best && path_exists(settings_.output)) write_atomically(scheduled, MappedFile(settings_.output).bytes());
    evaluate();
    if (best_step() == best) remove_file(scheduled);
  }
  // Every evaluation may have been infinite, and then what is in the output is of another run; a model is owed all the
  // same.
  const bool of_another_run = chooses_best() && !best_step();
  if (of_another_run || !path_exists(settings_.output)) save_output();
}

StopReason TrainingLoop::train() {
  // The run that is resumed may have been stopped in the midst of it.
  if (evaluation_due()) evaluate();
  for (;;) {
    if (const auto reason = reason_to_stop()) {
      if (*reason != StopReason::interrupt) check_any_update();
      return *reason;
    }
    train_step();
    if (evaluation_due()) evaluate();
    if (checkpoint_due()) save_checkpoint();
  }
}

bool TrainingLoop::checkpoint_due() const {
  if (settings_.checkpoint_steps > 0 && steps_done() % settings_.checkpoint_steps == 0) return true;
  return settings_.checkpoint_seconds > 0 && steady_seconds() - saved_ >= settings_.checkpoint_seconds;
}

void TrainingLoop::save_output() {
  check_weights();
  write_output();
}

void TrainingLoop::save_checkpoint() {
  check_weights();
  write_checkpoint();
  saved_ = steady_seconds();
}

ProgressOptions TrainingLoop::progress_options(std::string label, std::int64_t steps_done,
                                               std::int64_t batches_per_epoch) const {
  ProgressOptions options;
  options.label = std::move(label);
  options.total = total_steps(batches_per_epoch);
  options.done = steps_done;
  if (course_.seconds > 0) options.most_seconds = course_.seconds - seconds_before_;
  options.style = settings_.progress;
  return options;
}

void TrainingLoop::warn_of_warm_up(std::int64_t warm_up_steps, std::int64_t batches_per_epoch) const {
  const std::int64_t steps = total_steps(batches_per_epoch);
  if (warm_up_steps == 0 || warm_up_steps < steps || settings_.progress == ProgressStyle::quiet) return;
  fmt::print(stderr, "the learning rate warms up for {}, of which there are {}: it never comes to its height\n",
             counted(warm_up_steps, "step"), grouped(steps));
}

void TrainingLoop::check_any_update() const {
  const std::shared_ptr<Variable> updates = weights().find("optimizer/step");
  const bool learnt = updates != nullptr && updates->value.values<const std::int32_t>()[0] > 0;
  require<Error>(steps_done() == 0 || learnt,
                 "the gradients were not finite in any of {}, so that nothing was learnt; try a lower learning rate",
                 counted(steps_done(), "step"));
}

void TrainingLoop::check_weights() const {
  const std::string wrong = non_finite_weight(weights());
  require<Error>(wrong.empty(), "after step {} {}; try a lower learning rate or weight decay", steps_done(), wrong);
}

void TrainingLoop::check_gradients(const StepResult& step, std::int64_t number, double learning_rate) {
  skipped_ = step.skipped ? skipped_ + 1 : 0;
  require<Error>(
      skipped_ < most_skipped_,
      "the gradients were not finite in each of the last {} steps, up to step {}; try a learning rate below {}",
      skipped_, number, learning_rate);
}

}  // namespace eddy
