// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

/// How near generated texts come to reference texts, token by token. All scores are shares from 0 to 1; papers print
/// them times 100. Pure functions; UsageError for sizes that differ, a text without reference or an order below 1.
namespace eddy {

using TokenText = std::vector<std::string>;
/// All references of one text.
using References = std::vector<TokenText>;

/// What a precision without a match becomes. `add_one`: matches and n-grams of the orders above 1 are both one more
/// (Lin & Och 2004). `exponential`: the k-th order without a match counts 1/2^k matches (NIST's mteval, sacreBLEU).
enum class BleuSmoothing { none, add_one, exponential };

struct BleuOptions {
  int order = 4;
  BleuSmoothing smoothing = BleuSmoothing::none;
};

struct BleuScore {
  /// brevity_penalty times the geometric mean of the precisions; 0 when one of them is 0.
  double score = 0;
  /// Of orders 1, 2, ..., smoothed; 0 for an order that no text is long enough for.
  std::vector<double> precisions;
  /// exp(1 - reference_length / text_length) for texts shorter than their references in all, else 1.
  double brevity_penalty = 0;
  std::int64_t text_length = 0;
  /// For each text its reference nearest in length, the shorter of two as near.
  std::int64_t reference_length = 0;
};

/// Corpus BLEU (Papineni et al. 2002, section 2): n-gram matches, clipped at the largest count in any one reference,
/// and lengths are summed over all texts before any division.
BleuScore corpus_bleu(std::span<const TokenText> texts, std::span<const References> references,
                      const BleuOptions& options = {});

struct RougeScore {
  double precision = 0;
  double recall = 0;
  /// Harmonic mean of the two; 0 when both are.
  double f1 = 0;
};

/// ROUGE-N (Lin 2004, section 2): matches of n-grams, each at most as often as it stands in the reference. Of several
/// references the one with the best f1.
RougeScore rouge_n(const TokenText& text, const References& references, int order);
/// ROUGE-L (Lin 2004, section 3.1), with beta 1: the longest common subsequence. Of several references the best f1.
RougeScore rouge_l(const TokenText& text, const References& references);

struct RougeReport {
  RougeScore rouge_1;
  RougeScore rouge_2;
  RougeScore rouge_l;
};

/// Means over the texts; at least one is needed.
RougeReport mean_rouge(std::span<const TokenText> texts, std::span<const References> references);

/// The definitions of deepnlp's textsum, to compare with its numbers only.
/// Of the text's n-grams, those that stand in the reference, counted as often as the text has them, over the n-grams of
/// the reference; the best reference. May pass 1.
double textsum_rouge_n(const TokenText& text, const References& references, int order = 2);
/// The common subsequences with all references are summed, then P = sum / text length, R = sum / length of all
/// references, F = (1 + beta^2) P R / (R + beta^2 P). P may pass 1.
double textsum_rouge_l(const TokenText& text, const References& references, double beta = 8);
/// The clipped precision of one order, without brevity penalty.
double textsum_bleu(const TokenText& text, const References& references, int order = 2);

}  // namespace eddy
