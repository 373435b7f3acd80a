// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "eddy/data/pair_batches.h"
#include "eddy/data/tokenizer.h"
#include "eddy/data/unicode.h"
#include "eddy/experiments/training_config.h"
#include "eddy/models/sequence_to_sequence.h"

namespace eddy {

/// How the data lie in files.
enum class PairLayout {
  table,      ///< one pair a line; split at random, vocabularies counted from the training part
  headlines,  ///< deepnlp's textsum: three parts in files of their own and a vocabulary file (data/headlines.h)
};

/// Where pairs of texts come from and how they become tokens.
struct PairDataConfig {
  PairLayout layout = PairLayout::table;
  std::string path;  ///< a TSV file, or a folder or archive that holds `file` or the headlines' files
  std::string file;
  TokenUnit unit = TokenUnit::word;
  bool zero_digits = false;                    ///< each digit counts as 0 where a word is looked up
  TextEncoding encoding = TextEncoding::utf8;  ///< of a table
  std::int64_t source_column = 0;
  std::int64_t target_column = 1;
  bool lower_case = true;
  std::int64_t source_words = 12000;  ///< most words of the vocabularies; headlines: of the shared one, 0 is all
  std::int64_t target_words = 15000;
  std::int64_t min_count = 2;      ///< words that are rarer in training are unknown
  std::int64_t min_documents = 1;  ///< and so are those of fewer different sources, or targets
  /// Sources kept from training, with all their targets; -1: a tenth of them, at most 1000.
  std::int64_t validation = -1;
  std::int64_t test = -1;  ///< the same for the test
};

/// Everything that decides the training of an encoder-decoder on pairs of texts. A plain value.
struct Seq2SeqConfig {
  PairDataConfig data;
  SequenceToSequenceConfig model;
  OptimizerSettings optimizer;
  std::int64_t batch_size = 64;
  std::int64_t max_source = 25;  ///< longer pairs are not trained on; 0: no limit
  std::int64_t max_target = 30;
  std::vector<PairSize> sizes;            ///< of the batches (PairBatchOptions::sizes); empty: as the lengths are
  TooLong too_long = TooLong::leave_out;  ///< cut: long sources are cut in decoding, too
  bool reverse_source = false;            ///< the encoder reads the words last to first
  double own_share = 0;  ///< chance that a step reads the decoder's own choice in place of the target (at the end)
  std::int64_t own_share_steps = 10000;  ///< steps in which that chance rises from 0
  std::int64_t epochs = 10;
  std::int64_t max_steps = 0;         ///< 0: no limit
  double max_seconds = 0;             ///< 0: no limit
  std::int64_t patience = 0;          ///< stop after so many validations without a lower loss; 0: never
  std::int64_t evaluation_steps = 0;  ///< steps from validation to validation; 0: an epoch
  /// The plateau schedule looks at the mean training loss since the last validation, not at the validation loss.
  bool plateau_on_training = false;
  std::uint64_t seed = 1;  ///< of the split, the weights and the order
};

std::string to_json(const Seq2SeqConfig& config);
/// Members that are not there are those of `base`. Throws DataError naming the key.
Seq2SeqConfig seq2seq_config_from_json(std::string_view json, std::string_view where, Seq2SeqConfig base = {});
/// Throws UsageError naming the setting and its value when one is out of range.
void check(const Seq2SeqConfig& config);

/// An attention model for short sentences: both ways, 256 wide.
Seq2SeqConfig seq2seq_defaults();

}  // namespace eddy
