// SPDX-License-Identifier: Apache-2.0
#include "eddy/experiments/run_history.h"

#include <limits>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <utility>

#include "eddy/core/file.h"

namespace eddy {
namespace {

double number(const nlohmann::json& entry, const char* name) {
  const auto found = entry.find(name);
  return found != entry.end() && found->is_number() ? found->get<double>() : std::numeric_limits<double>::quiet_NaN();
}

RunHistory::Training training_point(const nlohmann::json& entry, std::int64_t step) {
  return {.step = step,
          .epoch = number(entry, "epoch"),
          .loss = number(entry, "loss"),
          .gradient_norm = number(entry, "gradient_norm"),
          .learning_rate = number(entry, "learning_rate"),
          .tokens = number(entry, "tokens"),
          .tokens_per_second = number(entry, "tokens_per_second"),
          .seconds = number(entry, "seconds"),
          .resident_mb = number(entry, "resident_mb")};
}

RunHistory::Validation validation_point(const nlohmann::json& entry, std::int64_t step, double training_loss) {
  RunHistory::Validation point{
      .step = step,
      .epoch = std::numeric_limits<double>::quiet_NaN(),
      .loss = number(entry, "validation_loss"),
      .training_loss = entry.contains("training_loss") ? number(entry, "training_loss") : training_loss,
      .error_rate = {},
      .best = number(entry, "best") == 1};
  if (entry.contains("validation_error")) point.error_rate = number(entry, "validation_error");
  return point;
}

}  // namespace

double RunHistory::tokens_per_second() const {
  double seconds = 0, tokens = 0;
  for (const Training& point : training)
    seconds += (point.tokens - std::exchange(tokens, point.tokens)) / point.tokens_per_second;
  return seconds > 0 ? tokens / seconds : 0;
}

RunHistory read_run_history(const std::filesystem::path& log) {
  RunHistory history;
  double loss = 0;  // since the last validation
  int windows = 0;
  std::istringstream lines(read_file(log));
  for (std::string line; std::getline(lines, line);) {
    const nlohmann::json entry = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (!entry.is_object() || !entry.contains("step") || !entry["step"].is_number_integer()) continue;
    const auto step = entry["step"].get<std::int64_t>();
    if (entry.contains("loss")) {
      history.training.push_back(training_point(entry, step));
      loss += history.training.back().loss;
      ++windows;
    }
    if (!entry.contains("validation_loss")) continue;
    const double mean = windows > 0 ? loss / windows : std::numeric_limits<double>::quiet_NaN();
    history.validation.push_back(validation_point(entry, step, mean));
    loss = windows = 0;
  }
  // Only lines of training tell the epoch, which rises evenly with the steps.
  if (history.training.empty() || history.training.back().step == 0) return history;
  const RunHistory::Training& last = history.training.back();
  for (RunHistory::Validation& point : history.validation)
    point.epoch = last.epoch * static_cast<double>(point.step) / static_cast<double>(last.step);
  return history;
}

}  // namespace eddy
