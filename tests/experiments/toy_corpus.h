// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "eddy/core/random.h"
#include "eddy/data/encoded_corpus.h"
#include "eddy/data/vocabulary.h"
#include "eddy/experiments/training_config.h"

namespace eddy {

/// Texts of 3 to 20 words among 40. The class is told by one word, 2 + class, somewhere in the text; the other words
/// count upwards from a random start, so that the next one can be predicted.
inline EncodedCorpus toy_corpus(int documents, int classes, std::uint64_t seed) {
  Philox random(seed);
  CorpusArrays arrays;
  for (int i = 0; i < documents; ++i) {
    const auto length = 3 + uniform_index(random, 18);
    const int label = static_cast<int>(uniform_index(random, static_cast<std::uint64_t>(classes)));
    const auto start = uniform_index(random, 30);
    const auto place = uniform_index(random, length);
    for (std::uint64_t t = 0; t < length; ++t)
      arrays.tokens.push_back(t == place ? 2 + label : static_cast<std::int32_t>(10 + (start + t) % 30));
    arrays.end_document(label, "");
  }
  return EncodedCorpus(std::move(arrays));
}

/// A small model for the toy corpus.
inline TrainingConfig toy_config(TrainingTask task, int classes = 3) {
  TrainingConfig config;
  config.task = task;
  config.model.vocabulary_size = 40;
  config.model.embedding_size = 16;
  config.model.encoder.hidden_size = 24;
  config.model.classes = is_classification(task) ? classes : 0;
  config.optimizer.learning_rate = 1e-2;
  config.batch_size = 8;
  config.max_length = 30;
  return config;
}

}  // namespace eddy
