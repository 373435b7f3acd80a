// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

namespace eddy {

/// What a run's log (see RunLog) tells of its course. A plain value.
struct RunHistory {
  /// Means over the steps since the point before; NaN for what the log does not have.
  struct Training {
    std::int64_t step = 0;
    double epoch = 0, loss = 0, gradient_norm = 0, learning_rate = 0;
    double tokens = 0, tokens_per_second = 0, seconds = 0, resident_mb = 0;
  };
  struct Validation {
    std::int64_t step = 0;
    double epoch = 0, loss = 0;
    double training_loss = 0;  ///< mean since the validation before, as the log says or as its lines give it
    std::optional<double> error_rate;
    bool best = false;  ///< better than all before
  };
  std::vector<Training> training;
  std::vector<Validation> validation;

  /// Of the training steps alone, without validations and checkpoints; 0 when there is none.
  double tokens_per_second() const;
};

/// Lines that are not whole are passed over. DataError when the file cannot be read.
RunHistory read_run_history(const std::filesystem::path& log);

}  // namespace eddy
