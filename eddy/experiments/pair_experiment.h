// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "eddy/data/sequence_pairs.h"
#include "eddy/experiments/pair_trainer.h"
#include "eddy/experiments/report.h"

namespace eddy {

/// A model to compare, with the pairs as it reads them.
struct PairRow {
  PairModel model;
  EncodedPairs pairs;
  EncodedPairs examples;  ///< to show, whatever is in `pairs`
  PairTrainingOptions training;
};

/// Models trained on one set of pairs: what the small experiments on sequences share.
struct PairExperiment {
  std::string name;   ///< of the subcommand
  std::string title;  ///< of the report
  std::vector<std::string> summary;
  std::string data;            ///< JSON: all that the pairs and the split depend on
  std::vector<PairRow> rows;   ///< pair i is the same in all of them
  PairSplit split;             ///< validation gives the curves, test the figures of the table
  std::string separator = "";  ///< between tokens, where texts are shown
  std::filesystem::path output;
  bool force = false;  ///< do finished models again
  std::string command;
};

struct PairEpoch {
  double loss = 0;  ///< mean of the training batches
  /// Of the validation part, decoded freely.
  double token_accuracy = 0, sequence_accuracy = 0;
  double seconds = 0;  ///< training and validation
};

/// A source with what was expected and what the model made of it.
struct PairExample {
  std::string source, expected, predicted;
  std::vector<std::string> source_tokens, predicted_tokens;
  std::vector<float> attention;  ///< [predicted tokens, source_time], or empty
  std::int64_t source_time = 0;
};

struct PairRecord {
  std::string row;
  std::int64_t parameters = 0;
  std::int64_t tested = 0;  ///< pairs
  double token_accuracy = 0, sequence_accuracy = 0;
  std::vector<PairEpoch> curve;
  std::vector<PairExample> examples;

  double seconds() const;
};

/// Trains the models that `output` does not hold finished, tests them, decodes the examples and writes the report. Each
/// epoch is kept: after a signal (Interrupted) the same command goes on with the next one. What other settings made is
/// set aside, and found again by those. For the main thread: holds an InterruptGuard.
std::vector<PairRecord> run_pair_experiment(const PairExperiment& experiment);

/// Row for row: parameters, epochs, test accuracy, time.
Table pair_table(const PairExperiment& experiment, const std::vector<PairRecord>& records);
/// Sources, expected targets and what each model made of them.
Table example_table(const std::vector<PairRecord>& records);
/// Tables, curves and what attention looked at, into the folder `output`. Throws as write_report().
void write_pair_report(const PairExperiment& experiment, const std::vector<PairRecord>& records);

}  // namespace eddy
