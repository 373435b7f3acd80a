// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "eddy/experiments/progress.h"
#include "eddy/experiments/report.h"
#include "eddy/models/sequence_to_sequence.h"

/// Options and results are plain values; the functions keep no state.
namespace eddy {

/// The four decoder modes of jacoxu/encoder_decoder on its five number stories, each trained until it reproduces them.
struct DecodersOptions {
  std::vector<DecoderMode> modes = {DecoderMode::basic, DecoderMode::feedback, DecoderMode::peek,
                                    DecoderMode::attention};
  /// The model; its mode does not count.
  SequenceToSequenceConfig model = jacoxu_config(DecoderMode::basic);
  double learning_rate = 1e-3;  ///< of RMSProp
  std::int64_t batch_size = 3;
  std::int64_t epochs = 5000;  ///< most of one mode
  std::uint64_t seed = 1;
  std::filesystem::path output;  ///< report folder; empty: no report
  std::string command = {};      ///< for the report
  ProgressStyle progress = ProgressStyle::automatic;
};

/// One mode after its training.
struct DecoderRun {
  DecoderMode mode = DecoderMode::basic;
  std::int64_t parameters = 0;
  std::int64_t epochs = 0;  ///< done
  bool reproduced = false;  ///< every token of every story right
  double token_accuracy = 0;
  double seconds = 0;
  std::vector<double> losses = {};      ///< mean training loss of each epoch
  std::vector<double> accuracies = {};  ///< share of right tokens after each epoch
  /// Per story.
  std::vector<std::vector<std::string>> sources = {}, targets = {}, predictions = {};
  std::vector<float> attention = {};  ///< of the first story, [steps, source]; empty without
};

struct DecodersResult {
  std::vector<DecoderRun> runs = {};
  bool interrupted = false;  ///< a signal came; the last run is unfinished
  bool reported = false;     ///< the report is of these runs
};

/// Trains the modes one after the other and writes the report. The same options give the same figures but the time.
/// UsageError for options out of range. Ends early for a signal that an InterruptGuard caught; a report that is there
/// then stays.
DecodersResult run_decoders(const DecodersOptions& options);

/// Parameters, epochs to 100 % and time of each mode.
Table decoders_table(const DecodersResult& result);

/// Target and prediction of each story, as the original prints them.
std::string decoders_listing(const DecoderRun& run);

}  // namespace eddy
