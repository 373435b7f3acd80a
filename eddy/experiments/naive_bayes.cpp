// SPDX-License-Identifier: Apache-2.0
#include "eddy/experiments/naive_bayes.h"

#include <algorithm>
#include <cmath>

#include "eddy/core/error.h"
#include "eddy/core/interrupt.h"

namespace eddy {
namespace {

std::vector<std::int32_t> word_set(std::span<const std::int32_t> tokens) {
  std::vector<std::int32_t> words(tokens.begin(), tokens.end());
  std::ranges::sort(words);
  words.erase(std::unique(words.begin(), words.end()), words.end());
  return words;
}

}  // namespace

NaiveBayes::NaiveBayes(const EncodedCorpus& corpus, std::span<const std::int32_t> documents,
                       std::int64_t vocabulary_size, std::int64_t classes, double smoothing)
    : classes_(classes),
      log_prior_(static_cast<std::size_t>(classes), smoothing),
      log_likelihood_(static_cast<std::size_t>(vocabulary_size * classes), smoothing) {
  std::vector<double> words_of_class(static_cast<std::size_t>(classes),
                                     smoothing * static_cast<double>(vocabulary_size));
  double labelled = 0;
  for (const std::int32_t document : documents) {
    stop_if_interrupted();
    const std::int32_t label = corpus.label(document);
    if (label < 0) continue;
    const auto column = static_cast<std::size_t>(label);
    ++labelled;
    log_prior_[column] += 1;
    for (const std::int32_t word : word_set(corpus.document(document))) {
      log_likelihood_[static_cast<std::size_t>(word * classes) + column] += 1;
      words_of_class[column] += 1;
    }
  }
  require<DataError>(labelled > 0, "naive Bayes: no document of {} has a label", documents.size());
  const double prior_total = labelled + smoothing * static_cast<double>(classes);
  for (double& prior : log_prior_) prior = std::log(prior / prior_total);
  for (std::size_t i = 0; i < log_likelihood_.size(); ++i)
    log_likelihood_[i] = std::log(log_likelihood_[i] / words_of_class[i % static_cast<std::size_t>(classes)]);
}

std::int32_t NaiveBayes::predict(std::span<const std::int32_t> tokens) const {
  std::vector<double> score = log_prior_;
  for (const std::int32_t word : word_set(tokens)) {
    const double* row = log_likelihood_.data() + word * classes_;
    for (std::size_t c = 0; c < score.size(); ++c) score[c] += row[c];
  }
  return static_cast<std::int32_t>(std::ranges::max_element(score) - score.begin());
}

double NaiveBayes::error_rate(const EncodedCorpus& corpus, std::span<const std::int32_t> documents) const {
  std::int64_t labelled = 0, wrong = 0;
  for (const std::int32_t document : documents) {
    stop_if_interrupted();
    if (corpus.label(document) < 0) continue;
    ++labelled;
    wrong += predict(corpus.document(document)) != corpus.label(document);
  }
  require<DataError>(labelled > 0, "naive Bayes: no document of {} has a label", documents.size());
  return static_cast<double>(wrong) / static_cast<double>(labelled);
}

double choose_smoothing(const EncodedCorpus& corpus, std::span<const std::int32_t> train,
                        std::span<const std::int32_t> validation, std::int64_t vocabulary_size, std::int64_t classes) {
  double best = 1, best_error = 2;
  for (const double smoothing : {1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001}) {
    const double error = NaiveBayes(corpus, train, vocabulary_size, classes, smoothing).error_rate(corpus, validation);
    if (error >= best_error) continue;
    best = smoothing;
    best_error = error;
  }
  return best;
}

}  // namespace eddy
