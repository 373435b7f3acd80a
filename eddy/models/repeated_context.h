// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

#include "eddy/graph/graph.h"
#include "eddy/graph/variable.h"

namespace eddy {

/// The network of Linusp/soph for frames of characters, which are fixed in length: a GRU reads one-hot characters, a
/// relu layer turns its last state into a context, and a second GRU that reads this context at every step writes, each
/// step through one linear layer. It never sees what it wrote before.
struct RepeatedContextConfig {
  std::int64_t characters = 0;  ///< ids of either side
  std::int64_t target_length = 0;
  std::int64_t hidden_size = 128;  ///< of both GRUs and the context
  bool hard_sigmoid = true;        ///< gates as in the original (Keras 1)
};

/// Scores of each character at each step, f32[target_length, batch, characters], from source i32[time, batch].
/// Parameters "encoder/…", "context/…", "decoder/…", "scores/…", made in `store` at first use. Throws GraphError for
/// sizes that are not positive.
Value repeated_context(ParameterStore& store, const RepeatedContextConfig& config, Value source,
                       SourceLocation where = SourceLocation::current());

}  // namespace eddy
