// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "eddy/experiments/classification_result.h"
#include "eddy/experiments/progress.h"
#include "eddy/experiments/report.h"
#include "eddy/experiments/run_history.h"
#include "eddy/experiments/run_model.h"

/// No state: the functions keep nothing of what they are given.
namespace eddy {

/// What the losses of a log are.
struct LossTexts {
  std::string unit = "nats per token";
  std::string more{};            ///< a sentence for the caption, with a space before it; may be empty
  std::string items = "tokens";  ///< what a model reads
};
LossTexts loss_texts(const TrainingConfig& config);

/// The charts of a training log: loss, error, gradient norm, learning rate, speed and memory, those with data only.
std::vector<ReportChart> history_charts(const RunHistory& history, const LossTexts& loss = {});

/// What a training took, as far as its log tells, and the memory of this process. `items`: what the model reads.
Table cost_table(std::int64_t parameters, const RunHistory& history, const std::string& items);

/// Everything a report of one model tells.
struct RunFacts {
  std::string title{};
  ModelFile model{};  ///< settings, data, names of the classes
  std::int64_t parameters = 0;
  RunHistory history{};  ///< may be empty
  std::vector<ClassificationResult> classified{};
  std::vector<std::pair<std::string, Evaluation>> evaluated{};  ///< by part; of models that are no classifiers
  std::string measured_on{};                                    ///< where that is not the data of the training
  std::vector<std::string> notes{};                             ///< paragraphs on what was measured
  std::string command{};
};

/// Results, course of training, confusion, the texts most confidently wrong, configuration, environment.
Report run_report(const RunFacts& facts);

/// Evaluates the model in `output` on `validation` documents of the part "train" and on the part "test" where there is
/// one, and reports its run, whose log stands beside it. Throws Interrupted after a signal.
Report report_of_run(const std::filesystem::path& output, const EncodedDataset& data,
                     const std::vector<std::int32_t>& validation, const std::string& command,
                     ProgressStyle progress = ProgressStyle::quiet);

}  // namespace eddy
