// SPDX-License-Identifier: Apache-2.0
#include "eddy/experiments/run_records.h"

#include <fmt/core.h>

#include <cmath>
#include <cstdio>

#include "eddy/core/error.h"
#include "eddy/experiments/memory_use.h"

namespace eddy {

RunRecords::RunRecords(const RunSettings& settings, std::int64_t steps, const LogWindow& window,
                       std::int64_t evaluated_step)
    : log_(log_path(settings.output), {.training = steps - window.steps, .validation = evaluated_step}) {
  if (!settings.tensorboard.empty()) tensorboard_.emplace(settings.tensorboard, steps);
}

void RunRecords::write(std::int64_t step, const std::vector<RunLog::Field>& fields) {
  log_.write(step, fields);
  if (tensorboard_) try {
      tensorboard_->write(step, fields);
    } catch (const DataError& error) {
      // A picture of the run is not worth the run.
      fmt::print(stderr, "{}; training goes on without event files\n", error.what());
      tensorboard_.reset();
    }
}

void RunRecords::write(const Moment& now, LogWindow& window) {
  if (window.steps == 0) return;
  const auto steps = static_cast<double>(window.steps);
  write(now.steps, {{"epoch", now.epochs},
                    {"loss", window.loss / steps},
                    {"gradient_norm", window.norm / steps},
                    {"learning_rate", window.rate},
                    {"tokens", static_cast<double>(now.tokens)},
                    {"tokens_per_second", static_cast<double>(window.tokens) / window.seconds},
                    {"seconds", now.seconds},
                    {"resident_mb", std::round(static_cast<double>(memory_use().resident) / 1e5) / 10}});
  window = {};
}

}  // namespace eddy
