// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "eddy/data/batch.h"
#include "eddy/data/encoded_corpus.h"
#include "eddy/experiments/text_evaluator.h"
#include "eddy/experiments/training_config.h"
#include "eddy/graph/program.h"
#include "eddy/graph/variable.h"

namespace eddy {

/// What one step of training did.
struct StepResult {
  std::int64_t step = 0;  ///< updates the weights have had, this one included
  double loss = 0;        ///< mean over the batch, before the update
  double gradient_norm = 0;
  double learning_rate = 0;
  std::int64_t tokens = 0;   ///< real input tokens read
  std::int64_t targets = 0;  ///< tokens or documents with a loss
  double seconds = 0;        ///< without compiling
  bool skipped = false;      ///< a gradient was not finite; nothing was updated
};

/// Makes the parameters a task's model needs in `store`, so that weights can be copied in before training begins.
/// Those for inference only are fewer for a model trained jointly.
void create_parameters(ParameterStore& store, const TrainingConfig& config, Mode mode = Mode::train);

/// Trains a text model on an encoded corpus, one batch a step. Programs are compiled once per batch length and share
/// one arena with those of evaluation. All state that decides the steps to come is in the store and in position(): a
/// trainer made on a copy of the store and moved to the same position goes on with the same bits (same machine, same
/// number of threads). One thread at a time.
class TextTrainer {
 public:
  /// Trains on all of `train` or on `documents` of it; both must outlive the trainer, and so must `store`, which gets
  /// the variables it lacks. Tasks that learn from labels alone leave documents without one out.
  /// Throws UsageError for a config that does not hold together, DataError when no document is left.
  TextTrainer(ParameterStore& store, TrainingConfig config, const EncodedCorpus& train,
              const DocumentList& documents = std::nullopt, std::shared_ptr<Arena> arena = nullptr);
  ~TextTrainer();
  TextTrainer(TextTrainer&&) noexcept;

  StepResult step();

  /// Updates the weights have had; skipped steps do not count.
  std::int64_t steps() const;
  /// The next batch; saved with the store, it is all that resuming needs.
  BatchPosition position() const;
  void seek(const BatchPosition& position);
  std::int64_t batches_per_epoch() const;
  std::int64_t documents_per_epoch() const;
  /// Of those, the ones that are read in part only; none of streams and of rows of numbers.
  CutDocuments cut_documents() const;

  /// Loss (and error rate) with the averaged weights when the config has an ema_decay.
  Evaluation evaluate(const EncodedCorpus& corpus, const DocumentList& documents = std::nullopt);

  /// Tells the plateau schedule the latest validation loss; without that schedule it does nothing.
  void report_validation(double loss);

  /// Puts the averaged weights in place of the current ones while `body` runs; without averages, the rows that are
  /// behind (see UpdateOptions::catch_up_rows) as they should be.
  void with_averaged_weights(const std::function<void()>& body);

  /// The program of one step for batches of `time` steps, compiled when it is not there yet.
  Program& program(std::int64_t time);
  /// The batch lengths of training, rising.
  const std::vector<std::int64_t>& times() const;
  TextEvaluator& evaluator();

  const TrainingConfig& config() const;
  ParameterStore& store() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace eddy
