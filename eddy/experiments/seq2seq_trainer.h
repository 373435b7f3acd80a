// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <vector>

#include "eddy/experiments/progress.h"
#include "eddy/experiments/run_training.h"
#include "eddy/experiments/seq2seq_model.h"
#include "eddy/graph/program.h"

namespace eddy {

/// Measures an encoder-decoder on pairs without training it, whatever their lengths: the limits of the training do not
/// hold here, and where the config has sizes of batches, longer pairs are cut to them. One thread at a time.
class Seq2SeqEvaluator {
 public:
  /// `store` must outlive the evaluator. Programs of one `arena` must not run at the same time.
  Seq2SeqEvaluator(ParameterStore& store, const Seq2SeqConfig& config, std::shared_ptr<Arena> arena = nullptr);
  ~Seq2SeqEvaluator();

  /// Nats per target token of the listed pairs, fed the targets, with the full softmax. A signal that an InterruptGuard
  /// caught ends it between two batches with Interrupted. DataError when no pair has two sides.
  double loss(const EncodedPairs& pairs, const std::vector<std::int32_t>& chosen);
  /// Of the passes to come; at first there is none. The counts are the evaluator's own.
  void show_progress(ProgressOptions progress);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

/// Trains an encoder-decoder on pairs, one batch a step, with one program per size of batch. All state that decides the
/// steps to come is in the store and in position(). One thread at a time.
class Seq2SeqTrainer {
 public:
  /// `store` must outlive the trainer and gets the variables it lacks; the arrays of the pairs are shared.
  Seq2SeqTrainer(ParameterStore& store, const Seq2SeqConfig& config, const EncodedPairs& pairs,
                 const std::vector<std::int32_t>& train);
  ~Seq2SeqTrainer();

  StepResult step();
  /// Of the weights as they are; it shares the arena of the training's programs.
  Seq2SeqEvaluator& evaluator();

  /// The program that the next step would run, and its inputs: to look at and to measure. Running it trains.
  struct NextStep {
    Program& program;
    std::vector<Binding> inputs;
  };
  NextStep next_step();

  BatchPosition position() const;
  void seek(const BatchPosition& position);
  std::int64_t batches_per_epoch() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

/// Pairs of the training that no batch holds.
struct LeftOutPairs {
  std::int64_t empty = 0;  ///< on one side
  /// Where the config leaves such pairs out, or has sizes of batches and none is large enough.
  std::int64_t too_long = 0;
};
/// DataError when none is left to train on, or to validate with where that is asked for.
LeftOutPairs left_out_pairs(const Seq2SeqConfig& config, const Seq2SeqData& data);

/// Trains until a limit of the config or a signal (see InterruptGuard) ends it. After each epoch measures the
/// validation part and keeps the best model in `settings.output`; writes checkpoints and the log beside it. An
/// evaluation that a signal ends is done anew by the run that goes on.
/// `model.progress` says where to go on. Throws Error when the gradients stay infinite or NaN.
StopReason run_seq2seq(ParameterStore& store, const Seq2SeqData& data, Seq2SeqModel& model,
                       const RunSettings& settings);

}  // namespace eddy
