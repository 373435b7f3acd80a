// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "eddy/data/pair_batches.h"
#include "eddy/experiments/pair_model.h"
#include "eddy/experiments/progress.h"
#include "eddy/experiments/sequence_accuracy.h"

namespace eddy {

struct PairTrainingOptions {
  std::int64_t epochs = 10;
  int batch_size = 128;
  double learning_rate = 1e-3;  ///< of Adam; falls to 0 over the epochs on half a cosine
  double clip_norm = 1;
  std::uint64_t seed = 1;
};

/// What a model made of one source.
struct DecodedPair {
  std::vector<std::int32_t> tokens;  ///< as many as it was asked for, or fewer: up to and with the first end token
  std::vector<float> attention;      ///< [tokens, source_time], or empty
  std::int64_t source_time = 0;
};

/// Trains a model on pairs and decodes with it. One program a size of batch, made at first use. The store must outlive
/// it; for one thread.
class PairTrainer {
 public:
  /// `training`: the pairs to train on. Copies options and model and shares the arrays of `pairs`. UsageError for
  /// options out of range.
  PairTrainer(ParameterStore& store, PairModel model, const PairTrainingOptions& options, const EncodedPairs& pairs,
              std::vector<std::int32_t> training);
  ~PairTrainer();

  std::int64_t batches_per_epoch() const;
  /// Makes the variables, so that a checkpoint can be read into them.
  void make_variables();
  /// The next batch is the first one of this epoch, counted from 0.
  void seek(std::int64_t epoch);

  struct StepResult {
    double loss = 0;
    double tokens = 0;  ///< of the target
  };
  /// Throws Error for a loss that is not finite.
  StepResult step();

  /// Decodes the sources of these pairs, and compares with all of the targets, of frames with the text and its first
  /// end. Throws Interrupted after a signal.
  SequenceAccuracy evaluate(const EncodedPairs& pairs, std::span<const std::int32_t> chosen,
                            ProgressOptions shown = no_progress()) const;
  /// What the model makes of each source, by its place in `pairs`. Sequences may be of any length where the model's
  /// are; targets give the number of steps only where they are complete.
  std::vector<DecodedPair> decode(const EncodedPairs& pairs) const;

 private:
  class Programs;

  std::vector<std::int32_t> training_;
  PairBatches batches_;
  std::unique_ptr<Programs> programs_;
};

}  // namespace eddy
