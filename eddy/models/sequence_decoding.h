// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "eddy/models/sequence_to_sequence.h"

namespace eddy {

/// Pairs of sequences, time-major as PairBatch has them.
struct PairValues {
  Value source;       ///< i32[source_time, batch]
  Value source_mask;  ///< f32[source_time, batch]; may be empty
  Value target_in;    ///< i32[target_time, batch]: go and the previous targets; empty without Feedback::token
  Value target_out;   ///< i32[target_time, batch]
  Value target_mask;  ///< f32[target_time, batch]
};

/// Mean cross entropy of the target tokens, f32[]. The decoder is fed the previous target. With `own_share` f32[] (a
/// number in [0, 1], such as a schedule's), and only while training, each row reads at each step its own likeliest
/// token of the step before with that chance instead (Bengio et al. 2015, "Scheduled sampling", section 2.4); 1 is its
/// own choice always. Masked steps of source and target change neither loss nor gradient. Throws
/// GraphError when shapes do not fit, or the config does not hold together. The loss is in nats per token.
Value sequence_loss(ParameterStore& store, const SequenceToSequenceConfig& config, const PairValues& pairs, Mode mode,
                    Value own_share = {}, SourceLocation where = SourceLocation::current());

struct GreedySequence {
  Value tokens;     ///< i32[steps, batch]; what follows an end token has no meaning
  Value attention;  ///< f32[steps, batch, source_time]; empty without attention
};

/// `steps` steps of the likeliest token each, the first after `go`. source i32[source_time, batch], mask
/// f32[source_time, batch], which may be empty. Throws GraphError as above, and unless steps > 0.
GreedySequence greedy_sequence(ParameterStore& store, const SequenceToSequenceConfig& config, Value source, Value mask,
                               std::int64_t steps, std::int32_t go, SourceLocation where = SourceLocation::current());

}  // namespace eddy
