// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "eddy/data/batch.h"
#include "eddy/experiments/checkpoint.h"
#include "eddy/experiments/log_window.h"
#include "eddy/experiments/run_data.h"
#include "eddy/experiments/training_config.h"
#include "eddy/experiments/validation_record.h"
#include "eddy/graph/variable.h"

/// No state; what reads or writes a store is for the thread that uses it. Files are written whole or not at all.
namespace eddy {

/// How far a training run has come. All but `seconds` is a function of config and data.
struct RunProgress {
  std::int64_t steps = 0;
  BatchPosition position;   ///< the next batch
  std::int64_t tokens = 0;  ///< read so far
  ValidationRecord validation;
  double seconds = 0;  ///< of training and evaluation
  std::uint64_t data_fingerprint = 0;
  LogWindow window;
};

/// What stands in a model file or checkpoint beside the weights.
struct ModelFile {
  TrainingConfig config;
  DataConfig data;
  TextModelVocabulary text;
  std::string from;        ///< pretrained model the weights and the vocabulary came from; may be empty
  std::string experiment;  ///< task of the `eddy experiment` that made it; empty: none did
  RunProgress progress;
};

/// Throws DataError when a name, a class or a path in it cannot stand in a file. Worth asking before hours of training.
void check_savable(const ModelFile& model);
/// Weights alone: smaller, and the same bytes for the same run.
void save_model(const std::filesystem::path& path, const ParameterStore& store, const ModelFile& model);
/// Everything that going on needs.
void save_run(const std::filesystem::path& path, const ParameterStore& store, const ModelFile& model);

/// All but the weights. Throws DataError naming the file when it is not a model of this program.
ModelFile read_model_file(const std::filesystem::path& path);

struct LoadedModel {
  ModelFile file;
  std::unique_ptr<ParameterStore> store;
};
/// A model file or checkpoint with its weights for inference (the averages where there are any). Throws DataError when
/// they are not those the config asks for.
LoadedModel load_model(const std::filesystem::path& path);

/// UsageError naming `where` the config is from when it is of rows of numbers, such as images, instead of text.
void require_text_model(const std::filesystem::path& where, const TrainingConfig& config);

/// Copies into the parameters of `store` what the config asks for of a pretrained model (see TransferredPart).
TransferReport transfer_pretrained(const ParameterStore& from, ParameterStore& store, const TrainingConfig& config);

/// "classifier: lstm 1 × 256, embedding 128, vocabulary 30,000, 2 classes, 8,123,456 parameters"
std::string describe_model(const TrainingConfig& config, std::int64_t parameters);

/// "model.checkpoint.safetensors" and "model.log.jsonl" for "model.safetensors"; and "model.scheduled.safetensors", the
/// best model before an evaluation that only the end of the run asked for, kept for a run that goes on.
std::filesystem::path checkpoint_path(const std::filesystem::path& output);
std::filesystem::path scheduled_path(const std::filesystem::path& output);
std::filesystem::path log_path(const std::filesystem::path& output);

}  // namespace eddy
