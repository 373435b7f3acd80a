// SPDX-License-Identifier: Apache-2.0
#include "eddy/experiments/text_metrics.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>
#include <string_view>

#include "eddy/core/error.h"
#include "eddy/core/number_text.h"
#include "eddy/experiments/metrics.h"

namespace eddy {

namespace {

/// Counts by the n-gram's tokens; the views live as long as the text.
using NgramCounts = std::map<std::vector<std::string_view>, std::int64_t>;

NgramCounts count_ngrams(const TokenText& text, int order) {
  NgramCounts counts;
  const auto length = static_cast<std::size_t>(order);
  for (std::size_t first = 0; first + length <= text.size(); ++first) {
    const auto begin = text.begin() + static_cast<std::ptrdiff_t>(first);
    ++counts[std::vector<std::string_view>(begin, begin + order)];
  }
  return counts;
}

std::int64_t ngrams_of(const TokenText& text, int order) {
  return std::max<std::int64_t>(static_cast<std::int64_t>(text.size()) - order + 1, 0);
}

std::int64_t count_of(const NgramCounts& counts, const NgramCounts::key_type& ngram) {
  const auto found = counts.find(ngram);
  return found == counts.end() ? 0 : found->second;
}

std::int64_t clipped_matches(const TokenText& text, const References& references, int order) {
  std::vector<NgramCounts> reference_counts;
  for (const TokenText& reference : references) reference_counts.push_back(count_ngrams(reference, order));
  std::int64_t matches = 0;
  for (const auto& [ngram, count] : count_ngrams(text, order)) {
    std::int64_t most = 0;
    for (const NgramCounts& counts : reference_counts) most = std::max(most, count_of(counts, ngram));
    matches += std::min(count, most);
  }
  return matches;
}

std::int64_t nearest_length(const TokenText& text, const References& references) {
  const auto length = static_cast<std::int64_t>(text.size());
  std::int64_t best = static_cast<std::int64_t>(references.front().size());
  for (const TokenText& reference : references) {
    const auto other = static_cast<std::int64_t>(reference.size());
    const std::int64_t gain = std::abs(best - length) - std::abs(other - length);
    if (gain > 0 || (gain == 0 && other < best)) best = other;
  }
  return best;
}

std::int64_t common_subsequence(const TokenText& a, const TokenText& b) {
  std::vector<std::int64_t> row(b.size() + 1, 0);
  for (const std::string& token : a) {
    std::int64_t diagonal = 0;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::int64_t above = row[j + 1];
      row[j + 1] = token == b[j] ? diagonal + 1 : std::max(above, row[j]);
      diagonal = above;
    }
  }
  return row.back();
}

RougeScore score_of(std::int64_t matches, std::int64_t in_text, std::int64_t in_reference) {
  RougeScore score;
  const auto found = static_cast<double>(matches);
  score.precision = share(found, static_cast<double>(in_text));
  score.recall = share(found, static_cast<double>(in_reference));
  score.f1 = share(2 * found, static_cast<double>(in_text + in_reference));
  return score;
}

/// The best f1 of `score(reference)`; the first of equal ones.
template <class Score>
RougeScore best_of(const References& references, Score&& score) {
  RougeScore best = score(references.front());
  for (const TokenText& reference : references) {
    const RougeScore other = score(reference);
    if (other.f1 > best.f1) best = other;
  }
  return best;
}

void require_references(const References& references) {
  require<UsageError>(!references.empty(), "a text without references cannot be scored");
}

void require_order(int order) { require<UsageError>(order >= 1, "n-grams of {} tokens; expected at least 1", order); }

void require_pairs(std::span<const TokenText> texts, std::span<const References> references) {
  require<UsageError>(texts.size() == references.size(), "{} cannot be scored with references for {}",
                      counted(std::ssize(texts), "text"), references.size());
  require<UsageError>(!texts.empty(), "the score of no texts is undefined");
  for (const References& each : references) require_references(each);
}

}  // namespace

BleuScore corpus_bleu(std::span<const TokenText> texts, std::span<const References> references,
                      const BleuOptions& options) {
  require_order(options.order);
  require_pairs(texts, references);
  const auto orders = static_cast<std::size_t>(options.order);
  std::vector<std::int64_t> matches(orders);
  std::vector<std::int64_t> totals(orders);
  BleuScore result;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    for (int order = 1; order <= options.order; ++order) {
      matches[static_cast<std::size_t>(order) - 1] += clipped_matches(texts[i], references[i], order);
      totals[static_cast<std::size_t>(order) - 1] += ngrams_of(texts[i], order);
    }
    result.text_length += static_cast<std::int64_t>(texts[i].size());
    result.reference_length += nearest_length(texts[i], references[i]);
  }

  double log_sum = 0;
  double missing = 1;
  for (std::size_t i = 0; i < orders; ++i) {
    auto found = static_cast<double>(matches[i]);
    auto total = static_cast<double>(totals[i]);
    if (options.smoothing == BleuSmoothing::add_one && i > 0 && total > 0) {
      found += 1;
      total += 1;
    }
    if (options.smoothing == BleuSmoothing::exponential && found == 0 && total > 0) {
      missing *= 2;
      found = 1 / missing;
    }
    result.precisions.push_back(share(found, total));
    log_sum += std::log(result.precisions.back());
  }
  const auto length = static_cast<double>(result.text_length);
  const auto wanted = static_cast<double>(result.reference_length);
  if (length > 0) result.brevity_penalty = length >= wanted ? 1.0 : std::exp(1 - wanted / length);
  // log(0) has made the sum minus infinity where a precision is zero.
  result.score = result.brevity_penalty * std::exp(log_sum / static_cast<double>(orders));
  return result;
}

RougeScore rouge_n(const TokenText& text, const References& references, int order) {
  require_order(order);
  require_references(references);
  return best_of(references, [&](const TokenText& reference) {
    return score_of(clipped_matches(text, {reference}, order), ngrams_of(text, order), ngrams_of(reference, order));
  });
}

RougeScore rouge_l(const TokenText& text, const References& references) {
  require_references(references);
  return best_of(references, [&](const TokenText& reference) {
    return score_of(common_subsequence(text, reference), static_cast<std::int64_t>(text.size()),
                    static_cast<std::int64_t>(reference.size()));
  });
}

RougeReport mean_rouge(std::span<const TokenText> texts, std::span<const References> references) {
  require_pairs(texts, references);
  const double weight = 1 / static_cast<double>(texts.size());
  const auto add = [&](RougeScore& mean, const RougeScore& score) {
    mean.precision += weight * score.precision;
    mean.recall += weight * score.recall;
    mean.f1 += weight * score.f1;
  };
  RougeReport report;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    add(report.rouge_1, rouge_n(texts[i], references[i], 1));
    add(report.rouge_2, rouge_n(texts[i], references[i], 2));
    add(report.rouge_l, rouge_l(texts[i], references[i]));
  }
  return report;
}

double textsum_rouge_n(const TokenText& text, const References& references, int order) {
  require_order(order);
  require_references(references);
  const NgramCounts counts = count_ngrams(text, order);
  double best = 0;
  for (const TokenText& reference : references) {
    const NgramCounts reference_counts = count_ngrams(reference, order);
    std::int64_t matches = 0;
    for (const auto& [ngram, count] : counts) matches += reference_counts.contains(ngram) ? count : 0;
    best = std::max(best, share(static_cast<double>(matches), static_cast<double>(ngrams_of(reference, order))));
  }
  return best;
}

double textsum_rouge_l(const TokenText& text, const References& references, double beta) {
  require_references(references);
  std::int64_t common = 0;
  std::int64_t reference_length = 0;
  for (const TokenText& reference : references) {
    common += common_subsequence(text, reference);
    reference_length += static_cast<std::int64_t>(reference.size());
  }
  const double precision = share(static_cast<double>(common), static_cast<double>(text.size()));
  const double recall = share(static_cast<double>(common), static_cast<double>(reference_length));
  return share((1 + beta * beta) * precision * recall, recall + beta * beta * precision);
}

double textsum_bleu(const TokenText& text, const References& references, int order) {
  require_order(order);
  require_references(references);
  return share(static_cast<double>(clipped_matches(text, references, order)),
               static_cast<double>(ngrams_of(text, order)));
}

}  // namespace eddy
