// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "eddy/data/digit_patterns.h"
#include "eddy/data/pig_latin.h"
#include "eddy/experiments/pair_experiment.h"

/// No state: safe to call concurrently. UsageError or DataError for a model or an example that is none; files are read
/// as read_word_list() does.
namespace eddy {

/// What the recipes below have in common. A number that is 0 is the model's own.
struct PairRecipeOptions {
  std::vector<std::string> models;  ///< names of rows
  std::int64_t epochs = 0;
  std::int64_t hidden_size = 0;
  int batch_size = 0;
  double learning_rate = 0;
  std::int64_t validation = 1000;  ///< sources kept from training for the curves
  std::int64_t test = 2000;        ///< and for the figures
  std::uint64_t seed = 1;          ///< of the split, the weights and the order of the batches
  std::filesystem::path output;
  bool force = false;
  std::string command;
};

/// English words to Pig Latin (Linusp/soph): "context", its network of frames with squared errors, and "attention".
struct PigLatinOptions {
  PairRecipeOptions common = {.models = {"context", "attention"}, .output = "report-piglatin", .command = {}};
  std::filesystem::path words = kWordList;
  std::string file;  ///< in the archive or folder `words`
  WordListOptions list = {.shortest = 1, .longest = 8};
  /// Those of the blog's post, of which the last three came out wrong there.
  std::vector<std::string> examples = {"ok", "sin", "cos", "master", "hanting", "dddodd", "mxnet", "zzzm"};
};
PairExperiment make_piglatin(const PigLatinOptions& options);

/// "12+34" to "46" (the same): "context", the network of frames with a softmax, and "attention".
struct AdderOptions {
  PairRecipeOptions common = {
      .models = {"context", "attention"}, .validation = 500, .test = 1000, .output = "report-adder", .command = {}};
  int below = 100;                    ///< summands
  std::vector<std::string> examples;  ///< none: some of summands below that
};
PairExperiment make_adder(const AdderOptions& options);

/// Sequences of digits to their pattern (ichuang/tflearn_seq2seq): "embedding_rnn", whose decoder begins with the
/// encoder's state and reads its last token, "embedding_attention", which also attends before each step, and
/// "legacy_attention", which attends after it as the original does (SequenceToSequenceConfig::input_feeding).
struct PatternsOptions {
  PairRecipeOptions common = {
      .models = {"embedding_rnn", "embedding_attention"}, .test = 10000, .output = "report-patterns", .command = {}};
  DigitPattern pattern = DigitPattern::reversed;
  std::int64_t samples = 100000;
  int input_length = 10;
  int output_length = 0;  ///< the pattern's first digits; 0: all
  /// Digits with a space between, of any length.
  std::vector<std::string> examples = {"0 1 2 3 4 5 6 7 8 9", "9 9 8 7 1 1 0 3 5 2", "3 1 4 1 5 9 2",
                                       "2 7 1 8 2 8 1 8 2 8 4 5"};
};
PairExperiment make_patterns(const PatternsOptions& options);

}  // namespace eddy
