// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "eddy/experiments/training_config.h"

namespace eddy {

/// The main experiment: does pretraining on unlabelled text help to classify WordNet's glosses by lexicographer file?
struct WordnetOptions {
  std::filesystem::path wordnet;  ///< folder with data.noun and the others
  std::filesystem::path cache;    ///< folder for the encoded corpus
  std::filesystem::path output;   ///< report folder; also holds the pretrained weights and finished parts
  std::vector<std::int64_t> labels = {1000};
  std::int64_t test = 5000;
  std::uint64_t split_seed = 1;
  std::vector<std::uint64_t> seeds = {1, 2, 3};
  std::int64_t vocabulary = 12000;
  double validation_fraction = 0.15;  ///< of the labelled documents: chooses the epoch
  TrainingConfig language_model;
  TrainingConfig autoencoder;
  TrainingConfig classifier;  ///< from pretrained weights
  TrainingConfig classifier_scratch;
  bool force = false;   ///< do finished parts again
  std::string command;  ///< the command line, for the report
};

/// The default recipe, sized for 12 minutes on two cores.
WordnetOptions wordnet_defaults();

/// One point of a learning curve.
struct CurvePoint {
  double epoch = 0;
  double train_loss = 0;
  double validation = 0;  ///< pretraining: nats per token; classifier: error rate
};

/// One training run.
struct RunRecord {
  std::string row;  ///< "LSTM", "LM-LSTM", "SA-LSTM"; pretraining: "LM", "SA"
  std::uint64_t seed = 0;
  std::int64_t labels = 0;  ///< 0 for pretraining
  double test_error = 0;
  double validation = 0;  ///< pretraining: nats per token at the end; classifier: error rate at the best epoch
  double best_epoch = 0;
  double seconds = 0;
  double tokens_per_second = 0;
  std::vector<CurvePoint> curve;
};

struct BaselineRecord {
  std::string row;
  std::int64_t labels = 0;
  double test_error = 0;
  double seconds = 0;
};

struct WordnetResults {
  std::vector<RunRecord> pretraining;
  std::vector<RunRecord> runs;
  std::vector<BaselineRecord> baselines;
  std::int64_t documents = 0, repeated = 0, tokens = 0;
  std::int64_t test = 0, unlabelled = 0, classes = 0;
  double seconds = 0;
};

/// Runs what is not finished yet in `output`, prints progress and the table, writes the report. Returns the results.
/// Throws DataError when WordNet is not installed, Interrupted after a signal.
WordnetResults run_wordnet(const WordnetOptions& options);

}  // namespace eddy
