// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "eddy/graph/value.h"
#include "eddy/ops/cross_entropy.h"
#include "eddy/ops/random_key.h"
#include "eddy/ops/samplers.h"

namespace eddy {

struct SampledSoftmaxOptions {
  Value weights = {};  ///< f32[rows]; empty for all 1
  Reduction reduction = Reduction::mean;
  /// Leave a sample that is the row's own target out of its negatives.
  bool remove_accidental_hits = true;
};

/// Softmax cross-entropy against the target and a shared sample of negatives instead of the whole vocabulary
/// (Jean et al. 2015, "On Using Very Large Target Vocabulary", section 3.2), f32: hidden [rows, size], table
/// [vocabulary, size], bias [vocabulary], targets i32[rows]; `sampled` from a sampler given the same targets. Every
/// logit is reduced by the logarithm of its id's expected count, which makes the minimum that of the full softmax; with
/// all ids the two are equal. The value is smaller than the full loss, as fewer candidates are easier to tell apart:
/// train with this, evaluate with cross_entropy. The gradients of table and bias are row-sparse. Negative targets are
/// ignored as in cross_entropy.
Value sampled_softmax_cross_entropy(Operand hidden, Operand table, Operand bias, Operand targets,
                                    const SampledIds& sampled, const SampledSoftmaxOptions& options = {});

/// log of the sum of exp(logits[row, j]) over the samples j whose ids[j] is not targets[row]: logits f32[rows,
/// samples], ids i32[samples], targets i32[rows] → f32[rows], -inf where nothing is left. A negative id is an error at
/// run time.
Value negatives_log_sum_exp(Operand logits, Operand ids, Operand targets);

}  // namespace eddy
