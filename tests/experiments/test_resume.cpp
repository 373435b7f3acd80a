// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>

#include "eddy/core/error.h"
#include "eddy/experiments/checkpoint.h"
#include "eddy/experiments/text_trainer.h"
#include "toy_corpus.h"

namespace eddy {
namespace {

namespace fs = std::filesystem;

struct TemporaryFolder {
  fs::path path = fs::temp_directory_path() / fmt::format("eddy_resume_{}", ::getpid());
  TemporaryFolder() { fs::create_directories(path); }
  ~TemporaryFolder() { fs::remove_all(path); }
};

bool same_bits(const ParameterStore& a, const ParameterStore& b) {
  const auto left = a.all();
  const auto right = b.all();
  REQUIRE(left.size() == right.size());
  bool same = true;
  for (std::size_t i = 0; i < left.size(); ++i) {
    REQUIRE(left[i]->name == right[i]->name);
    REQUIRE(left[i]->value.type() == right[i]->value.type());
    CHECK(left[i]->trainable == right[i]->trainable);
    if (std::memcmp(left[i]->value.data(), right[i]->value.data(), left[i]->value.bytes()) == 0) continue;
    same = false;
    MESSAGE("bits differ in " << left[i]->name);
  }
  return same;
}

/// 20 steps equal 10 steps, a file, new objects and 10 more, in every loss and every variable.
void check_resume(const TrainingConfig& config) {
  const EncodedCorpus corpus = toy_corpus(50, 3, 9);
  const TemporaryFolder folder;
  const fs::path file = folder.path / "run.safetensors";
  constexpr int half = 10;

  ParameterStore whole_store(config.seed);
  TextTrainer whole(whole_store, config, corpus);
  std::vector<double> losses;
  for (int i = 0; i < 2 * half; ++i) {
    losses.push_back(whole.step().loss);
    if (i % 4 == 3) whole.report_validation(whole.evaluate(corpus).loss);
  }

  BatchPosition position;
  {
    ParameterStore store(config.seed);
    TextTrainer trainer(store, config, corpus);
    for (int i = 0; i < half; ++i) {
      CHECK(trainer.step().loss == losses[static_cast<std::size_t>(i)]);
      if (i % 4 == 3) trainer.report_validation(trainer.evaluate(corpus).loss);
    }
    position = trainer.position();
    save_checkpoint(file, store);
  }
  ParameterStore store(config.seed + 1);  // the seed of the file counts, not this one
  load_checkpoint(file, store);
  TextTrainer trainer(store, config, corpus);
  trainer.seek(position);
  for (int i = half; i < 2 * half; ++i) {
    const StepResult step = trainer.step();
    CHECK(step.loss == losses[static_cast<std::size_t>(i)]);
    CHECK(step.step == i + 1);
    if (i % 4 == 3) trainer.report_validation(trainer.evaluate(corpus).loss);
  }
  CHECK(same_bits(whole_store, store));
}

TrainingConfig with_dropout(TrainingConfig config) {
  config.model.word_dropout = 0.1f;
  config.model.embedding_dropout = 0.2f;
  config.model.output_dropout = 0.1f;
  config.model.classifier_dropout = 0.3f;
  return config;
}

}  // namespace

TEST_CASE("resuming is bit-exact for a language model") {
  TrainingConfig config = with_dropout(toy_config(TrainingTask::language_model));
  config.model.encoder.layers = 2;
  config.model.encoder.dropout = 0.2f;
  config.optimizer.schedule = {.kind = ScheduleKind::cosine, .warm_up_steps = 5, .decay_steps = 15};
  config.optimizer.ema_decay = 0.9;
  check_resume(config);
}

TEST_CASE("resuming is bit-exact for a language model with sampled softmax") {
  TrainingConfig config = toy_config(TrainingTask::language_model);
  config.model.softmax_samples = 10;
  config.optimizer.kind = OptimizerKind::adagrad;
  check_resume(config);
}

TEST_CASE("resuming is bit-exact with state carried from window to window") {
  TrainingConfig config = with_dropout(toy_config(TrainingTask::language_model));
  config.stream_steps = 5;
  config.optimizer.kind = OptimizerKind::rmsprop;
  check_resume(config);
}

TEST_CASE("resuming is bit-exact for the autoencoders") {
  check_resume(toy_config(TrainingTask::autoencoder));
  check_resume(toy_config(TrainingTask::pooled_autoencoder));
}

TEST_CASE("resuming is bit-exact for a classifier") {
  TrainingConfig config = with_dropout(toy_config(TrainingTask::classifier));
  config.optimizer.schedule = {.kind = ScheduleKind::plateau, .decay = 0.5, .patience = 0};
  config.optimizer.kind = OptimizerKind::adamw;
  check_resume(config);
}

TEST_CASE("resuming is bit-exact for joint training with GRUs") {
  TrainingConfig config = with_dropout(toy_config(TrainingTask::joint));
  config.model.encoder.cell = CellKind::gru;
  config.optimizer.kind = OptimizerKind::momentum;
  config.optimizer.lazy_rows = true;
  check_resume(config);
}

TEST_CASE("resuming is bit-exact for label gain") { check_resume(toy_config(TrainingTask::label_gain)); }

}  // namespace eddy
