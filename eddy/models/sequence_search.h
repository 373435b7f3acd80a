// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <vector>

#include "eddy/core/tensor.h"
#include "eddy/models/beam_search.h"
#include "eddy/models/sequence_to_sequence.h"

namespace eddy {

/// Beam search with an encoder-decoder: one program encodes the sources, another makes a step. They are compiled for
/// each time, batch and beam, and kept for the eight of these used last: pad sources to a few lengths. They read the
/// weights of `store`, which must outlive this and be used by one thread at a time, and share one arena. Copies the
/// config.
class SequenceSearch {
 public:
  SequenceSearch(ParameterStore& store, const SequenceToSequenceConfig& config);
  ~SequenceSearch();
  SequenceSearch(SequenceSearch&&) noexcept;

  /// source i32[time, batch] under mask f32[time, batch]: the hypotheses of each row; see beam_search(). Without
  /// attention there is none in the hypotheses, and coverage is a UsageError; so it is where a mask has its zeros not
  /// at the end. Throws UsageError for other types of source and mask, too, and as beam_search().
  std::vector<std::vector<Hypothesis>> search(const Tensor& source, const Tensor& mask, const BeamOptions& options,
                                              SourceLocation where = SourceLocation::current());

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace eddy
