// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "eddy/graph/value.h"
#include "eddy/graph/variable.h"

namespace eddy {

/// Adaptive softmax (Grave et al. 2017, "Efficient softmax approximation for GPUs", section 4.3): ids in order of
/// falling frequency are cut into stretches. A head predicts the words of the first stretch, or which of the later ones
/// the word is in; a tail for each of these predicts the word there, from a projection that is the narrower the rarer
/// its words are. An exact distribution over all words whose cost is that of the frequent ones: a tail computes only
/// the rows whose target it holds.
struct AdaptiveSoftmaxConfig {
  std::int64_t vocabulary = 0;
  std::vector<std::int64_t> cutoffs = {};  ///< where the later stretches begin: rising, above 0, below vocabulary
  std::int64_t divisor = 4;                ///< tail i reads hidden_size / divisor^(i + 1) features, at least 1
};

/// Mean over the rows with a weight of the cross entropy of targets i32[rows] under hidden f32[rows, hidden_size];
/// weights f32[rows]. A negative target counts as no row. Parameters "<name>/head/{table,bias}" and
/// "<name>/tail<i>/{projection,table,bias}", made in `store` at first use. Throws GraphError for cutoffs that do not
/// rise from 1 to the vocabulary, and for shapes that do not fit.
Value adaptive_softmax_loss(ParameterStore& store, const std::string& name, const AdaptiveSoftmaxConfig& config,
                            Value hidden, Value targets, Value weights,
                            SourceLocation where = SourceLocation::current());

/// Log-probabilities of all words, f32[rows, vocabulary], for hidden f32[rows, hidden_size]. Natural logarithms; throws
/// GraphError as above.
Value adaptive_log_probabilities(ParameterStore& store, const std::string& name, const AdaptiveSoftmaxConfig& config,
                                 Value hidden, SourceLocation where = SourceLocation::current());

}  // namespace eddy
