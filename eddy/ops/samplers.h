// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>

#include "eddy/core/source_location.h"
#include "eddy/graph/value.h"

namespace eddy {

// Candidate samplers for sampled softmax: which words stand for the whole vocabulary in this run. All draw from `key`
// (see random_key); each call in a graph draws its own ids.

struct SamplerOptions {
  /// Draw until `samples` different ids are found. With replacement the expected count of an id is samples * p.
  /// Without, it is estimated as 1 - (1 - p)^tries, -expm1(tries * log1p(-p)), for the number of draws this run took:
  /// good when many ids share the mass, some 10 % off for a handful of samples of which one id has half the mass. When
  /// all ids are asked for they come in order with expected count 1, which is exact.
  bool unique = true;
};

/// Drawn ids with the logarithms of their expected counts, the correction of Jean et al. 2015, equation 13.
struct SampledIds {
  Value ids;                   ///< i32[samples]
  Value log_expected;          ///< f32[samples]
  Value log_expected_targets;  ///< f32, of the shape of the targets; 0 for negative ones
};

/// Ids of [0, range) by the log-uniform (Zipf) distribution P(k) = log((k + 2) / (k + 1)) / log(range + 1), which suits
/// ids sorted by descending frequency. Errors: more unique samples than ids, or, at run time, a target beyond the
/// range.
SampledIds log_uniform_sampler(Operand key, std::int64_t samples, std::int64_t range, Operand targets,
                               SamplerOptions options = {});

/// The tables of Walker's alias method (Vose 1991), which draws from any distribution in constant time.
struct UnigramTable {
  Value accept;       ///< f32[range]: probability of keeping the column's own id
  Value other;        ///< i32[range]: the column's other id
  Value probability;  ///< f32[range]
};

/// For P(k) proportional to counts[k]^power. Throws GraphError for a count that is not positive: no id may be
/// impossible, for its correction would be infinite.
UnigramTable unigram_table(Graph& graph, std::span<const double> counts, double power = 1,
                           SourceLocation where = SourceLocation::current());

/// Ids by the distribution of `table`; otherwise as log_uniform_sampler. Finding unique samples among ids that are
/// nearly all improbable is given up with an error at run time.
SampledIds unigram_sampler(Operand key, std::int64_t samples, const UnigramTable& table, Operand targets,
                           SamplerOptions options = {});

}  // namespace eddy
