// SPDX-License-Identifier: Apache-2.0
#include "eddy/experiments/command_sample.h"

#include <algorithm>

#include "eddy/core/random.h"
#include "eddy/data/stream_batches.h"
#include "eddy/experiments/text_trainer_graph.h"

namespace eddy {
namespace {

/// One length for all texts: no bucket between the smallest and it.
TrainingConfig one_length(TrainingConfig config, std::int64_t time) {
  config.max_length = config.evaluation_max_length = time - 1;
  config.bucket_growth = 1e6;
  return config;
}

/// Texts of `time` random tokens, or of as many rows of numbers, one for each row of a batch.
EncodedCorpus random_corpus(const TrainingConfig& config, std::int64_t time) {
  // Of rows the next one is predicted, so there are two at least.
  const std::int64_t tokens =
      config.row_width > 0 ? std::max<std::int64_t>(time, 2) * config.row_width : std::max(time, config.stream_steps);
  const std::int64_t words = config.model.vocabulary_size;
  Philox random(config.seed, stable_hash("sample"));
  CorpusArrays arrays;
  for (std::int64_t row = 0; row < config.batch_size; ++row) {
    for (std::int64_t t = 0; t < tokens; ++t) {
      // Squared, for a few frequent words and many rare ones.
      const double u = static_cast<double>(uniform_float(random, 0, 1));
      arrays.tokens.push_back(static_cast<std::int32_t>(u * u * static_cast<double>(words - 1)));
    }
    const std::int64_t classes = std::max<std::int64_t>(config.model.classes, 1);
    arrays.end_document(is_classification(config.task) ? static_cast<int>(row % classes) : -1, "");
  }
  return EncodedCorpus(std::move(arrays));
}

Batch first_batch(const TrainingConfig& config, const EncodedCorpus& corpus, Mode mode) {
  if (config.stream_steps > 0)
    return StreamBatches(corpus, {.batch_size = static_cast<int>(config.batch_size), .time = config.stream_steps})
        .next();
  return BucketBatches(corpus, task_batches(config, corpus.longest(), mode)).next();
}

}  // namespace

SampleProgram::SampleProgram(ParameterStore& store, const TrainingConfig& config, std::int64_t time, Mode mode)
    : SampleProgram(store, one_length(config, time), random_corpus(config, time), mode) {}

SampleProgram::SampleProgram(ParameterStore& store, TrainingConfig config, EncodedCorpus corpus, Mode mode)
    : mode_(mode),
      config_(std::move(config)),
      corpus_(std::move(corpus)),
      trainer_(store, config_, corpus_),
      batch_(first_batch(config_, corpus_, mode)) {}

Program& SampleProgram::program() {
  return mode_ == Mode::train ? trainer_.program(batch_.time()) : trainer_.evaluator().program(batch_.time());
}

Profile SampleProgram::profile(int runs) {
  std::vector<Binding> inputs = task_bindings(config_, batch_, mode_);
  const std::vector<std::string> names = carried_names(config_);
  for (const std::string& name : names)
    inputs.push_back({name, Tensor(f32, {config_.batch_size, config_.model.encoder.hidden_size})});
  program().run(inputs);  // the first run warms up
  return program().profile(inputs, runs);
}

}  // namespace eddy
