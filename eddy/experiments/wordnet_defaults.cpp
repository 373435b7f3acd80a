// SPDX-License-Identifier: Apache-2.0
#include "eddy/data/wordnet.h"
#include "eddy/experiments/wordnet.h"

namespace eddy {

WordnetOptions wordnet_defaults() {
  WordnetOptions options;
  options.wordnet = std::filesystem::path(kWordnetDirectory);

  TrainingConfig common;
  common.model.embedding_size = 128;
  common.model.encoder.hidden_size = 256;
  // Two glosses in a hundred are longer; what they define comes first.
  common.max_length = 40;
  common.keep_last = false;

  TrainingConfig pretraining = common;
  pretraining.batch_size = 64;       // few epochs are short of updates, not of text
  pretraining.bucket_growth = 1.15;  // little padding: there are glosses enough for many lengths
  pretraining.model.softmax_samples = 512;
  pretraining.model.embedding_dropout = 0.1f;
  pretraining.model.output_dropout = 0.1f;
  pretraining.optimizer.learning_rate = 5e-3;
  pretraining.optimizer.schedule.kind = ScheduleKind::cosine;  // to its floor at the end of the last epoch
  pretraining.optimizer.schedule.floor = 0.05;
  pretraining.optimizer.lazy_rows = true;
  options.language_model = pretraining;
  options.language_model.task = TrainingTask::language_model;
  options.language_model.epochs = 3;
  options.autoencoder = pretraining;
  options.autoencoder.task = TrainingTask::autoencoder;
  options.autoencoder.batch_size = 32;
  options.autoencoder.epochs = 1;

  options.classifier = common;
  options.classifier.task = TrainingTask::classifier;
  options.classifier.batch_size = 16;
  options.classifier.epochs = 16;
  options.classifier.patience = 8;
  options.classifier.optimizer.learning_rate = 2e-3;
  options.classifier.optimizer.ema_decay = 0.99;
  // A mean over the gloss beats its last state here for the language model.
  options.classifier.model.pooling = Pooling::mean;
  options.classifier.model.word_dropout = 0.1f;
  options.classifier.model.embedding_dropout = 0.3f;
  options.classifier.model.output_dropout = 0.5f;
  options.classifier.model.classifier_dropout = 0.3f;
  options.classifier_scratch = options.classifier;
  return options;
}

}  // namespace eddy
