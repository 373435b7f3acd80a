// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "eddy/data/encoded_corpus.h"

namespace eddy {

/// Multinomial naive Bayes on the set of words of each document (Wang & Manning 2012 call it binarised MNB): the
/// bag-of-words baseline of text classification. Immutable after training; concurrent predictions are safe.
class NaiveBayes {
 public:
  /// Counts the labelled documents among `documents`. `smoothing` is added to every count (Lidstone).
  /// Throws DataError when there is no labelled document.
  NaiveBayes(const EncodedCorpus& corpus, std::span<const std::int32_t> documents, std::int64_t vocabulary_size,
             std::int64_t classes, double smoothing);

  std::int32_t predict(std::span<const std::int32_t> tokens) const;
  /// Share of the labelled documents among `documents` that get another class.
  double error_rate(const EncodedCorpus& corpus, std::span<const std::int32_t> documents) const;

 private:
  std::int64_t classes_;
  std::vector<double> log_prior_;
  std::vector<double> log_likelihood_;  ///< [vocabulary, classes]
};

/// The smoothing among a few powers of ten (and thirds between) with the smallest error on `validation`.
double choose_smoothing(const EncodedCorpus& corpus, std::span<const std::int32_t> train,
                        std::span<const std::int32_t> validation, std::int64_t vocabulary_size, std::int64_t classes);

}  // namespace eddy
