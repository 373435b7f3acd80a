// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "eddy/experiments/seq2seq_trainer.h"

namespace eddy {

/// The program of a training step of an encoder-decoder on one batch of made-up pairs of the greatest lengths, to look
/// at and to measure. Profiling it changes the weights in `store`, which must outlive it. One thread.
class SamplePairs {
 public:
  SamplePairs(ParameterStore& store, const Seq2SeqModel& model);

  Program& program() { return step_.program; }
  Profile profile(int runs = 5);
  /// "64 made-up pairs of up to 25 and 30 words"
  std::string what() const;

 private:
  Seq2SeqConfig config_;
  EncodedPairs pairs_;
  Seq2SeqTrainer trainer_;
  Seq2SeqTrainer::NextStep step_;
};

}  // namespace eddy
