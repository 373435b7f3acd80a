// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "eddy/experiments/classification_rows.h"
#include "eddy/experiments/classification_task.h"
#include "eddy/experiments/run_data.h"
#include "eddy/experiments/training_config.h"

namespace eddy {

/// The main experiment (Dai & Le 2015): does pretraining on text help to classify it? Plain values throughout.
struct ClassificationOptions {
  ClassificationSource source;
  TextConfig text;
  std::filesystem::path cache;                       ///< folder for the encoded corpus; empty: none
  std::filesystem::path from;                        ///< see begin_with in classification_settings.h; empty: none
  Pretraining from_pretraining = Pretraining::none;  ///< what made that model
  std::filesystem::path output;                      ///< report folder; also holds the models and finished parts
  std::vector<ClassificationRow> rows;               ///< of the table, in this order
  std::vector<std::int64_t> labels = {0};  ///< labelled documents to train on, one table each; 0: all there are
  std::vector<std::uint64_t> seeds = {1};  ///< of weights and batches; the split has its own
  double validation_fraction = 0.15;       ///< of the labelled documents: chooses the epoch
  bool refit = false;                      ///< train once more with the validation part, for the chosen epochs
  bool naive_bayes = true;                 ///< with the bag-of-words baseline
  TrainingConfig language_model;
  TrainingConfig autoencoder;
  TrainingConfig pooled_autoencoder;
  TrainingConfig classifier;  ///< from pretrained weights
  TrainingConfig classifier_scratch;
  TrainingConfig classifier_perturbed;  ///< from pretrained weights, of rows -at and -vat
  double checkpoint_seconds = 180;      ///< what a kill loses at most
  bool force = false;                   ///< do finished parts again
  std::string command;                  ///< the command line, for the report

  std::array<TrainingConfig*, 3> classifiers() { return {&classifier, &classifier_scratch, &classifier_perturbed}; }
  std::array<TrainingConfig*, 3> pretrainings() { return {&language_model, &autoencoder, &pooled_autoencoder}; }
  std::array<TrainingConfig*, 6> configs() {
    return {&language_model, &autoencoder,        &pooled_autoencoder,
            &classifier,     &classifier_scratch, &classifier_perturbed};
  }
};

/// One point of a learning curve.
struct CurvePoint {
  double epoch = 0;
  double train_loss = 0;
  double validation = 0;  ///< pretraining: nats per token; classifier: error rate
};

/// One training run.
struct RunRecord {
  std::string row;  ///< "LSTM", "LM-LSTM", …; pretraining: "LM", "SA", …
  std::uint64_t seed = 0;
  std::int64_t labels = 0;  ///< 0 for pretraining
  double test_error = 0;
  double validation = 0;  ///< of the best epoch; pretraining: nats per token, classifier: error rate
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

/// What a training run was made with.
struct RunConfig {
  std::string part;  ///< name of its files
  std::string base;  ///< of the options, as the report names them: "language_model", "classifier", …
  TrainingConfig config;
};

struct ClassificationResults {
  std::vector<RunRecord> pretraining;
  std::vector<RunRecord> runs;
  std::vector<BaselineRecord> baselines;  ///< one for each of `labels`, and one of all labels if that is none of them
  std::vector<std::int64_t> labels;       ///< those of the options, with the number that 0 stands for
  std::vector<RunConfig> configs;         ///< of the first seed's runs
  std::vector<std::string> pages;         ///< names of the tested runs, which have pages in the folder "runs"
  std::int64_t labelled = 0, unlabelled = 0, test = 0, tokens = 0, vocabulary = 0, classes = 0;
  std::int64_t test_in_unlabelled = 0;  ///< unlabelled documents that are a test text, kept from pretraining
  std::int64_t test_in_train = 0;       ///< labelled training documents that are a test text
  double seconds = 0;                   ///< of all training and tests, whenever they were done
};

/// Runs what is not finished yet in `output`, prints progress, writes the report. Each training run keeps checkpoints:
/// killed at any moment, the same call goes on with the same bits. Throws DataError for missing or bad data, UsageError
/// for labels the data does not have and, before any training, for rows that cannot be trained; Interrupted after a
/// signal. For the main thread: holds an InterruptGuard.
ClassificationResults run_classification(const ClassificationOptions& options);

}  // namespace eddy
