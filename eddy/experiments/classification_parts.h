// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "eddy/experiments/classification.h"
#include "eddy/experiments/run_model.h"
#include "eddy/graph/variable.h"

namespace eddy {

/// One training run of an experiment.
struct TrainingPart {
  std::string name;  ///< of its files
  TrainingConfig config;
  std::vector<std::int32_t> train;       ///< documents of the corpus
  std::vector<std::int32_t> validation;  ///< choose the best epoch; empty: the last one is taken
  std::optional<std::int32_t> labelled;  ///< documents from here on are trained on without their label
  std::filesystem::path from;            ///< model file whose weights are the beginning; empty: fresh ones
};

/// The training runs of an experiment on disk, so that one killed at any moment goes on where it was. Each has a model
/// file, which the other commands of the program take too, a log and, once finished, a record; until then a
/// checkpoint. What is there counts only under the very data, documents, config and beginning that made it; under
/// others it is set aside, and found again by those that made it; so is the page of its test. One thread at a time.
class TrainingParts {
 public:
  /// `data` tells one corpus from another. The corpus must outlive the object. The options need not.
  TrainingParts(const ClassificationOptions& options, std::uint64_t data, const EncodedCorpus& corpus,
                TextModelVocabulary vocabulary);

  /// The record of the part: read when it is finished, else after training (or going on with it) and `finish`, which
  /// gets the trained weights and may add to the record. `record` holds what is known beforehand. Throws Interrupted
  /// after a signal, with all that was done kept.
  RunRecord run(const TrainingPart& part, RunRecord record,
                const std::function<void(ParameterStore& store, RunRecord& record)>& finish = {});

  std::filesystem::path model_file(const std::string& name) const { return folder_ / (name + ".safetensors"); }
  /// Folder for the page of a tested part.
  std::filesystem::path page(const std::string& name) const { return pages_ / name; }

 private:
  /// Tells data, documents and beginning from others.
  std::uint64_t inputs_of(const TrainingPart& part) const;
  /// Names of its files; what tells the key comes last, so that a kill halfway leaves the rest to be moved.
  std::array<std::filesystem::path, 5> files_of(const std::string& name) const;
  /// What a part began with, as its files say: another part by its name, so that they are the same in any folder.
  std::string origin_of(const TrainingPart& part) const;
  /// Whether the weights of a finished part can be read; says why not.
  bool has_weights(const TrainingPart& part) const;
  /// Sets the files of a part aside when another key made them, and brings back those that this one made. The record
  /// that is there then, if the part is finished.
  std::optional<RunRecord> choose_files(const std::string& name, const std::string& key);
  /// With the files that `choose_files` has left: a checkpoint among them is of this part.
  void train(const TrainingPart& part, std::uint64_t inputs, RunRecord& record);

  std::filesystem::path folder_, pages_;
  std::uint64_t data_;
  const EncodedCorpus& corpus_;
  ModelFile model_;  ///< what the files of all parts have in common
  double checkpoint_seconds_;
  bool force_;  ///< parts are done again; nothing else in the folder is touched
};

}  // namespace eddy
