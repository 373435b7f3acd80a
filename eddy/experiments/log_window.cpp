// SPDX-License-Identifier: Apache-2.0
#include "eddy/experiments/log_window.h"

#include "eddy/experiments/text_trainer.h"

namespace eddy {

void LogWindow::add(const StepResult& step) {
  loss += step.loss;
  norm += step.gradient_norm;
  rate = step.learning_rate;
  seconds += step.seconds;
  tokens += step.tokens;
  ++steps;
}

}  // namespace eddy
