// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "eddy/experiments/training_config.h"
#include "eddy/models/sequence_to_sequence.h"

namespace eddy {

/// Where pairs of texts come from and how they become tokens.
struct PairDataConfig {
  std::string path;  ///< a TSV file, or a folder or archive that holds `file`
  std::string file;
  std::int64_t source_column = 0;
  std::int64_t target_column = 1;
  bool lower_case = true;
  std::int64_t source_words = 12000;  ///< most words of the vocabularies; rarer ones are unknown
  std::int64_t target_words = 15000;
  std::int64_t min_count = 2;      ///< words that are rarer in training are unknown
  std::int64_t validation = 1000;  ///< sources kept from training, with all their targets
  std::int64_t test = 1000;        ///< the same for the test
};

/// Everything that decides the training of an encoder-decoder on pairs of texts. A plain value.
struct Seq2SeqConfig {
  PairDataConfig data;
  SequenceToSequenceConfig model;
  OptimizerSettings optimizer;
  std::int64_t batch_size = 64;
  std::int64_t max_source = 25;  ///< longer pairs are not trained on
  std::int64_t max_target = 30;
  double own_share = 0;  ///< chance that a step reads the decoder's own choice in place of the target (at the end)
  std::int64_t own_share_steps = 10000;  ///< steps in which that chance rises from 0
  std::int64_t epochs = 10;
  std::int64_t max_steps = 0;  ///< 0: no limit
  double max_seconds = 0;      ///< 0: no limit
  std::uint64_t seed = 1;      ///< of the split, the weights and the order
};

std::string to_json(const Seq2SeqConfig& config);
/// Members that are not there are those of `base`. Throws DataError naming the key.
Seq2SeqConfig seq2seq_config_from_json(std::string_view json, std::string_view where, Seq2SeqConfig base = {});
/// Throws UsageError naming the setting and its value when one is out of range.
void check(const Seq2SeqConfig& config);

/// An attention model for short sentences: both ways, 256 wide.
Seq2SeqConfig seq2seq_defaults();

}  // namespace eddy
