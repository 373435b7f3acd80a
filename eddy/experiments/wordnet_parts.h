// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>

#include "eddy/experiments/run_data.h"
#include "eddy/experiments/wordnet.h"
#include "eddy/graph/variable.h"

namespace eddy {

/// Finished parts of an experiment on disk, so that an interrupted one goes on where it was: for each part its record
/// as JSON and its weights as a model file, which the other commands of the program take too. A part counts only under
/// the very configuration and data that made it.
class FinishedParts {
 public:
  FinishedParts(const std::filesystem::path& output, std::uint64_t data, TextModelVocabulary vocabulary)
      : folder_(output / "parts"), data_(std::to_string(data)), vocabulary_(std::move(vocabulary)) {}

  /// Fills `record` (and `store`, with the weights) when the part is finished under `config`.
  bool load(const std::string& part, const TrainingConfig& config, RunRecord& record,
            ParameterStore* store = nullptr) const;
  void save(const std::string& part, const TrainingConfig& config, const RunRecord& record,
            const ParameterStore& store) const;
  /// Forgets all parts.
  void clear() const;

 private:
  std::filesystem::path folder_;
  std::string data_;  ///< identifies the data set
  TextModelVocabulary vocabulary_;
};

}  // namespace eddy
