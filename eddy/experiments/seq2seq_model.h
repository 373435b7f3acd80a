// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "eddy/data/batch.h"
#include "eddy/data/encoded_pairs.h"
#include "eddy/experiments/log_window.h"
#include "eddy/experiments/seq2seq_config.h"
#include "eddy/experiments/validation_record.h"
#include "eddy/graph/variable.h"

/// No state; what reads or writes a store is for the thread that uses it. Files are written whole or not at all.
namespace eddy {

/// How far a training has come.
struct Seq2SeqProgress {
  std::int64_t steps = 0;
  BatchPosition position;       ///< the next batch
  std::int64_t tokens = 0;      ///< target tokens learned from
  ValidationRecord validation;  ///< losses in nats per token
  double seconds = 0;
  std::uint64_t data_fingerprint = 0;
  /// Training since the last validation: sum of the losses of its steps.
  double recent_loss = 0;
  std::int64_t recent_steps = 0;
  LogWindow window;
};

/// What stands in a model file beside the weights.
struct Seq2SeqModel {
  Seq2SeqConfig config;
  TokenSet source_tokens, target_tokens;
  Seq2SeqProgress progress;
};

/// Weights alone, or with `everything` what going on with the training needs.
void save_seq2seq(const std::filesystem::path& path, const ParameterStore& store, const Seq2SeqModel& model,
                  bool everything);
/// Whether the file is such a model, or another model of the program. Throws DataError when it is no checkpoint at all.
bool is_seq2seq(const std::filesystem::path& path);
/// All but the weights. Throws DataError naming the file when it is no such model.
Seq2SeqModel read_seq2seq(const std::filesystem::path& path);

struct LoadedSeq2Seq {
  Seq2SeqModel model;
  std::unique_ptr<ParameterStore> store;
};
/// Throws DataError when the weights are not those the config asks for.
LoadedSeq2Seq load_seq2seq(const std::filesystem::path& path);

/// Makes the parameters in `store`.
void create_parameters(ParameterStore& store, const SequenceToSequenceConfig& config);

/// Pairs of texts as tokens, and which of them are for what.
struct Seq2SeqData {
  std::vector<TextPair> texts;
  std::vector<std::string> keys;  ///< the tokens of each source
  EncodedPairs pairs;
  PairSplit split;
  std::uint64_t fingerprint = 0;
};

/// How both sides become tokens.
TokenizerOptions tokenizer_of(const PairDataConfig& config);

/// Reads the pairs, in the parts their files make or split by source and the config's seed, so that the parts are the
/// same whenever the data are. Vocabularies are read, counted from the training part, or those of `known`.
Seq2SeqData load_seq2seq_data(const Seq2SeqConfig& config, const Seq2SeqModel* known = nullptr);

/// Gives a new run's model the words of the pairs, the sizes that follow from them and their fingerprint.
void fit_to_data(Seq2SeqModel& model, const Seq2SeqData& data);
/// Fewer words than samples need no sampling: then `model.softmax_samples` is 0.
void fit_samples(SequenceToSequenceConfig& model);

/// Pairs to measure a model on, which need not be those of its training (`model.config.data` says where those are).
/// Those of its training are split as they were then, headlines as they come (`has_parts`); other pairs are all in the
/// test part.
struct Seq2SeqMeasuredData {
  Seq2SeqData data;
  bool has_parts = false;
};
Seq2SeqMeasuredData load_measured_data(const Seq2SeqModel& model, const PairDataConfig& where);

}  // namespace eddy
