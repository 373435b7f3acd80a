// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "eddy/graph/value.h"

namespace eddy {

/// How well a position of the memory answers a query.
enum class AttentionEnergy {
  additive,  ///< w . tanh(memory W_k + query W_q) (Bahdanau et al. 2015, section A.1.2)
  dot,       ///< memory . query (Luong et al. 2015, section 3.1)
  general,   ///< memory . (query W_q) (the same)
  /// memory . w + query . w_q + b, as the seq2seq library has it (jacoxu/encoder_decoder with w_q = w). What the query
  /// and b add is the same at all positions and cancels in the softmax, so that the weights are the same at every step;
  /// only for comparison.
  linear
};

/// What one step reads from a memory: the positions' mean, weighted by how well they answer the query. The values are
/// those of the surrounding graph; a plain value.
struct Attention {
  AttentionEnergy energy = AttentionEnergy::additive;
  Value memory = {};    ///< f32[batch, source, features]
  Value keys = {};      ///< additive: memory W_k, f32[batch, source, attention]
  Value mask = {};      ///< f32[batch, source] of 0 and 1; may be empty
  Value w_query = {};   ///< additive: [query, attention]; general: [query, features]; linear: [query]
  Value w_energy = {};  ///< additive: [attention]; linear: [features]
  Value bias = {};      ///< linear: [1]

  struct Result {
    Value context;  ///< f32[batch, features]
    /// f32[batch, source], 0 where masked; a row adds up to 1. A row masked throughout is 0, so are its context and all
    /// gradients through it.
    Value weights;
  };
  /// query f32[batch, query]. Throws GraphError naming the member whose size does not fit, with the user's line.
  Result operator()(Value query, SourceLocation where = SourceLocation::current()) const;
};

}  // namespace eddy
