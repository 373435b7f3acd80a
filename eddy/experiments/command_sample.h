// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>

#include "eddy/data/encoded_corpus.h"
#include "eddy/experiments/text_trainer.h"

namespace eddy {

/// The program of a training or inference step on made-up texts of one length, to look at and to measure.
/// Profiling a training program changes the weights in `store`, which must outlive it.
class SampleProgram {
 public:
  /// Streams have their own length, whatever `time` is.
  SampleProgram(ParameterStore& store, TrainingConfig config, std::int64_t time, Mode mode);

  Program& program();
  Profile profile();
  std::int64_t time() const { return batch_.time(); }

 private:
  Mode mode_;
  TrainingConfig config_;
  EncodedCorpus corpus_;
  TextTrainer trainer_;
  Batch batch_;
};

}  // namespace eddy
