// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>

#include "eddy/data/encoded_corpus.h"
#include "eddy/experiments/text_trainer.h"

namespace eddy {

/// The program of a training or inference step on one batch, to look at and to measure.
/// Profiling a training program changes the weights in `store`, which must outlive it. One thread.
class SampleProgram {
 public:
  /// On made-up texts of one length, `time` tokens or rows of numbers. Streams have their own, whatever `time` is.
  SampleProgram(ParameterStore& store, const TrainingConfig& config, std::int64_t time, Mode mode);
  /// On the first batch of a corpus.
  SampleProgram(ParameterStore& store, TrainingConfig config, EncodedCorpus corpus, Mode mode);

  Program& program();
  Profile profile(int runs = 5);
  /// Steps of the recurrent layers.
  std::int64_t time() const { return batch_.time() / std::max<std::int64_t>(config_.row_width, 1); }
  const TrainingConfig& config() const { return config_; }

 private:
  Mode mode_;
  TrainingConfig config_;
  EncodedCorpus corpus_;
  TextTrainer trainer_;
  Batch batch_;
};

}  // namespace eddy
