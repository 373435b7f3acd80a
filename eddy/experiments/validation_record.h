// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>
#include <cstdint>

namespace eddy {

/// What the validations of a training run have come to. A plain value; a function of config and data.
struct ValidationRecord {
  std::int64_t evaluations = 0;
  std::int64_t evaluated_step = -1;  ///< of the latest evaluation; a signal may have kept a due one from happening
  std::int64_t bad_evaluations = 0;  ///< since the best one
  bool has_best = false;
  double best_loss = 0;
  double best_error = 0;  ///< classification only
  std::int64_t best_step = 0;

  /// Counts the evaluation after `step`; returns whether it is the best one from now on, as nothing infinite can be.
  bool note(std::int64_t step, bool better, double loss, double error = 0) {
    evaluated_step = step;
    ++evaluations;
    if (!better || !std::isfinite(loss)) {
      ++bad_evaluations;
      return false;
    }
    bad_evaluations = 0;
    has_best = true;
    best_loss = loss;
    best_error = error;
    best_step = step;
    return true;
  }
};

/// For the JSON of the structs that hold one.
void visit_members_of_record(auto& record, auto& visit) {
  visit("evaluations", record.evaluations);
  visit("evaluated_step", record.evaluated_step);
  visit("bad_evaluations", record.bad_evaluations);
  visit("has_best", record.has_best);
  visit("best_loss", record.best_loss);
  visit("best_error", record.best_error);
  visit("best_step", record.best_step);
}

/// What the progress of any training run has in common.
void visit_members_of_progress(auto& progress, auto& visit) {
  visit("steps", progress.steps);
  visit("epoch", progress.position.epoch);
  visit("batch", progress.position.index);
  visit("tokens", progress.tokens);
  visit_members_of_record(progress.validation, visit);
  visit("seconds", progress.seconds);
  visit("data_fingerprint", progress.data_fingerprint);
}

}  // namespace eddy
