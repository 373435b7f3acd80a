// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace eddy {

/// What a decoder is asked for at one step. Rows are hypotheses: row s * beam + k belongs to source s. All rows are
/// asked for at every step, so that one program serves; the answers for rows without a hypothesis are not read.
struct BeamQuery {
  /// From 0.
  int step = 0;
  /// [rows]: the row of the step before whose state this row goes on from; its own at step 0. Move the states first.
  std::span<const std::int32_t> parents;
  /// [rows]: the token to read; the go at step 0.
  std::span<const std::int32_t> tokens;
};

/// The answer; its memory must stay until the next query.
struct BeamReply {
  /// [rows, classes], natural logarithms; -inf for what cannot be.
  std::span<const float> log_probabilities;
  /// [rows, source_time], the attention of this step; empty for a model without.
  std::span<const float> attention = {};
};

using BeamModel = std::function<BeamReply(const BeamQuery& query)>;

/// What the log-probability of a hypothesis of n tokens (its end counted) is divided by.
enum class LengthNormalisation {
  none,
  /// n, so that the score is the mean of the tokens.
  mean,
  /// ((5 + n) / 6)^alpha (Wu et al. 2016, "Google's neural machine translation system", equation 14)
  wu
};

struct BeamOptions {
  /// Hypotheses kept; 1 is greedy search.
  int beam = 4;
  /// Hypotheses returned for each source, at most `beam`.
  int best = 1;
  /// Most tokens of a hypothesis, its end counted.
  int longest = 50;
  /// Fewest tokens before the end.
  int shortest = 0;
  std::int32_t go = 0;
  /// -1: hypotheses have `longest` tokens and no end.
  std::int32_t end = 1;
  LengthNormalisation normalisation = LengthNormalisation::wu;
  double alpha = 0.6;
  /// Weight of the coverage penalty sum_j log(min(sum_t attention[t, j], 1)) of the same equation, added to the
  /// normalised score; 0 = none. Needs attention.
  double coverage = 0;
  /// No n-gram of this many tokens twice in one hypothesis; 0 = no rule (Paulus et al. 2018, section 2.5).
  int no_repeat_ngram = 0;
  /// Log-probabilities of tokens that a hypothesis has already are multiplied by this, at least 1 (Keskar et al. 2019,
  /// section 4.1, on log-probabilities, which are negative).
  double repetition_penalty = 1;
  /// Never chosen: the unknown token, padding, go.
  std::vector<std::int32_t> banned = {};
};

struct Hypothesis {
  /// Without go and end.
  std::vector<std::int32_t> tokens;
  /// Sum over the tokens and the end, repetition penalties included.
  double log_probability = 0;
  /// What hypotheses are ordered by.
  double score = 0;
  /// It ended; false when `longest` cut it short or every continuation was ruled out.
  bool complete = false;
  /// [steps, source_time]: a row per token, and one for the end.
  std::vector<float> attention;
};

/// Beam search over several sources at once: result[s] holds at least one and at most `best` hypotheses of source s,
/// complete ones first, then by falling score. Each step every hypothesis offers its 2 * beam best continuations; best
/// first, those that end leave the beam and the others fill it; a source is done when `beam` have ended
/// (tensorflow/models textsum). Equal scores: the earlier row, the smaller token. Deterministic; calls `model` up to
/// `longest` times. `source_lengths` [sources], the real steps of each source, is needed for coverage.
/// Throws UsageError for bad options or replies of other sizes, DataError for a log-probability that is NaN. Calls
/// `model` in the calling thread and keeps nothing: safe to call concurrently with different models.
std::vector<std::vector<Hypothesis>> beam_search(const BeamModel& model, const BeamOptions& options,
                                                 std::int64_t sources = 1,
                                                 std::span<const std::int32_t> source_lengths = {});

}  // namespace eddy
