// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace eddy {

struct StepResult;

/// Sums over the steps since the last line of a run's log. A plain value.
struct LogWindow {
  double loss = 0, norm = 0, rate = 0, seconds = 0;
  std::int64_t tokens = 0, steps = 0;

  void add(const StepResult& step);
};

/// For the JSON of the structs that hold one.
void visit_members_of_window(auto& window, auto& visit) {
  visit("window_loss", window.loss);
  visit("window_norm", window.norm);
  visit("window_rate", window.rate);
  visit("window_seconds", window.seconds);
  visit("window_tokens", window.tokens);
  visit("window_steps", window.steps);
}

}  // namespace eddy
