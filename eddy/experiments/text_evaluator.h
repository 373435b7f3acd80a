// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "eddy/data/batch.h"
#include "eddy/data/bucket_batches.h"
#include "eddy/data/encoded_corpus.h"
#include "eddy/experiments/progress.h"
#include "eddy/experiments/training_config.h"
#include "eddy/graph/program.h"
#include "eddy/graph/variable.h"

namespace eddy {

/// Documents of a corpus, in order; all of them when empty.
using DocumentList = std::optional<std::vector<std::int32_t>>;

struct Evaluation {
  double loss = 0;             ///< mean cross entropy in nats, per predicted token or per labelled document
  std::int64_t targets = 0;    ///< tokens or documents the mean is over
  double error_rate = 0;       ///< share of labelled documents given another class; classification only
  std::int64_t documents = 0;  ///< documents looked at
  double seconds = 0;
  CutDocuments cut = {};  ///< documents that max_length cut, labelled or not

  double perplexity() const;
};

/// Class probabilities of documents in the order they were asked for.
struct Predictions {
  std::int64_t classes = 0;
  std::vector<float> probabilities;  ///< [documents, classes]
  CutDocuments cut = {};             ///< documents that max_length cut

  std::int64_t size() const { return classes == 0 ? 0 : static_cast<std::int64_t>(probabilities.size()) / classes; }
  std::span<const float> row(std::int64_t document) const;
  /// The most probable class; the first of equals.
  std::int32_t label(std::int64_t document) const;
};

/// Mean log loss and error rate of the classes predicted for `documents`; those without label are passed over. Throws
/// DataError when none has one.
Evaluation score(const Predictions& predictions, const EncodedCorpus& corpus,
                 const DocumentList& documents = std::nullopt);

/// Runs a text model without training it: losses, error rates, class probabilities. Programs are compiled once per
/// batch length and kept; they use the weights that stand in the store at that moment. A signal that an InterruptGuard
/// caught ends any of it between two batches with Interrupted. One thread at a time.
class TextEvaluator {
 public:
  /// `store` must outlive the evaluator. Programs of one `arena` must not run at the same time.
  TextEvaluator(ParameterStore& store, TrainingConfig config, std::shared_ptr<Arena> arena = nullptr);
  ~TextEvaluator();
  TextEvaluator(TextEvaluator&&) noexcept;

  /// Loss of the config's task, and the error rate when it is a classification (joint: the classifier's part).
  /// Documents without label do not count there. Streams are as many as the text is long enough for, whatever the
  /// batch size, so that the same text always has the same loss. Throws DataError when nothing is left to evaluate.
  Evaluation evaluate(const EncodedCorpus& corpus, const DocumentList& documents = std::nullopt);

  /// Throws UsageError unless the task is a classification.
  Predictions predict(const EncodedCorpus& corpus, const DocumentList& documents = std::nullopt);

  /// Of the passes to come; at first there is none. The counts are the evaluator's own.
  void show_progress(ProgressOptions progress) { progress_ = std::move(progress); }

  /// The program for batches of `time` steps, compiled when it is not there yet.
  Program& program(std::int64_t time);
  /// A batch's tensors under the names of the program's inputs.
  std::vector<Binding> bindings(const Batch& batch) const;

  const TrainingConfig& config() const { return config_; }

 private:
  Evaluation evaluate_documents(const EncodedCorpus& corpus, const DocumentList& documents);
  Evaluation evaluate_streams(const EncodedCorpus& corpus, const DocumentList& documents);
  Program& program(std::int64_t time, std::int64_t rows);
  ProgressOptions progress_of(const BucketBatches& batches, const EncodedCorpus& corpus,
                              const std::vector<std::int32_t>& documents) const;

  ParameterStore* store_;
  TrainingConfig config_;
  std::shared_ptr<Arena> arena_;
  ProgressOptions progress_ = no_progress();
  std::map<std::pair<std::int64_t, std::int64_t>, Program> programs_;  ///< by steps and rows
};

}  // namespace eddy
