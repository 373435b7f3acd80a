// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "eddy/data/batch.h"
#include "eddy/data/batch_order.h"
#include "eddy/data/encoded_corpus.h"
#include "eddy/data/layouts.h"
#include "eddy/data/vocabulary.h"

namespace eddy {

/// Which end of a too long document stays. Dai & Le 2015 keep the last tokens.
enum class Keep { last, first };

struct BucketOptions {
  int batch_size = 32;
  Layout layout = Layout::plain;
  /// Longest document in tokens, before the layout adds to it; 0 = no limit.
  std::int64_t max_length = 0;
  Keep keep = Keep::last;
  /// Layout::plain and label_gain: one `<eos>` after the last token.
  bool append_eos = false;
  /// Time sizes of the batches, rising; empty = bucket_times() of the longest row. Each size in use is one program.
  std::vector<std::int64_t> times = {};
  /// Off: the same order in every epoch, by length; for evaluation.
  bool shuffle = true;
  std::uint64_t seed = 1;
  std::int32_t eos = Vocabulary::kEndOfSequence;
};

/// Rising time sizes, each at most about `growth` times the one before, multiples of 4 (of 8 from 32), the last one
/// `longest` itself. `smallest` and `longest` at least 1, `growth` above 1; UsageError otherwise.
std::vector<std::int64_t> bucket_times(std::int64_t longest, std::int64_t smallest = 8, double growth = 1.4);

/// Documents that are longer than they are read, and what of them is not: "3 texts cut to 400 tokens (96 tokens not
/// read)".
struct CutDocuments {
  std::int64_t documents = 0;
  std::int64_t tokens = 0;

  bool any() const { return documents > 0; }
  std::string to_string(std::int64_t max_length) const;
};

/// Those of a corpus, or of the documents listed, each as often as it is listed; none when max_length is 0. Throws
/// DataError for a document that the corpus lacks.
CutDocuments count_cut(const EncodedCorpus& corpus, std::int64_t max_length,
                       const std::optional<std::vector<std::int32_t>>& documents = std::nullopt);

/// Documents of one corpus in batches of similar length. Every batch has exactly batch_size rows and one of the time
/// sizes. What is left of a size, too few for a batch, joins the next larger one (without shuffling: the batch is
/// filled with empty rows, as the last one of an epoch always is). Each document comes once an epoch; order is a
/// function of (seed, epoch) alone. Documents without anything to predict (empty ones under language_model, or without
/// label under label_gain) are left out; under plain an empty document is a row of length 0.
/// Shares the arrays of the corpus, which may go before it. Not thread-safe.
class BucketBatches {
 public:
  /// All documents, or those listed (each counts as often as it is listed).
  /// Throws UsageError for bad options, DataError for an unknown document, one longer than the largest of `times`, or
  /// when none is left.
  explicit BucketBatches(const EncodedCorpus& corpus, BucketOptions options = {},
                         std::optional<std::vector<std::int32_t>> documents = std::nullopt);

  /// The batch at position(), which moves on; after the last one of an epoch the next epoch begins.
  Batch next();

  std::int64_t batches_per_epoch() const { return order_.batches_per_epoch(); }
  /// Documents of an epoch, and how many were left out as they have nothing to predict.
  std::int64_t documents_per_epoch() const { return order_.members_per_epoch(); }
  std::int64_t left_out() const { return left_out_; }
  /// Documents of an epoch that options.max_length cuts.
  const CutDocuments& cut() const { return cut_; }
  /// Time sizes that documents have, rising; one of few documents may have no batch of its own.
  const std::vector<std::int64_t>& times() const { return times_; }

  BatchPosition position() const { return order_.position(); }
  /// Throws DataError for a position that is not in the data.
  void seek(const BatchPosition& position) { order_.seek(position); }

 private:
  /// Whether a document has nothing to predict in this layout.
  bool is_left_out(std::int32_t document) const;
  std::int64_t row_length(std::int32_t document) const;

  EncodedCorpus corpus_;
  BucketOptions options_;
  PageBudget pages_;
  std::vector<std::int64_t> times_;
  std::int64_t left_out_ = 0;
  CutDocuments cut_;
  BatchOrder order_;
};

}  // namespace eddy
