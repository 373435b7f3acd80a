// SPDX-License-Identifier: Apache-2.0
// Discriminative learning rates, gradual unfreezing and adversarial training inside the trainer.
#include <doctest/doctest.h>

#include <map>

#include "eddy/core/error.h"
#include "eddy/experiments/text_trainer.h"
#include "eddy/experiments/text_trainer_optimizer.h"
#include "support/largest.h"
#include "toy_corpus.h"

namespace eddy {
namespace {

std::map<std::string, Tensor> weights_of(const ParameterStore& store) {
  std::map<std::string, Tensor> values;
  for (const auto& variable : store.all()) {
    if (!variable->trainable) continue;
    const Tensor copy(variable->value.dtype(), variable->value.shape());
    copy.copy_from(variable->value);
    values.emplace(variable->name, copy);
  }
  return values;
}

/// Largest change of any element, by variable.
std::map<std::string, double> moved(const std::map<std::string, Tensor>& before, const ParameterStore& store) {
  std::map<std::string, double> result;
  for (const auto& [name, old] : before)
    result[name] = test::largest_difference(store.find(name)->value.values<const float>(), old.values<const float>());
  return result;
}

TrainingConfig two_layers() {
  TrainingConfig config = toy_config(TrainingTask::classifier);
  config.model.encoder.layers = 2;
  return config;
}

void train_epoch(TextTrainer& trainer) {
  do trainer.step();
  while (trainer.position().index != 0);
}

TEST_CASE("the first step of Adam moves each layer by its own rate") {
  TrainingConfig config = two_layers();
  config.layer_rate_decay = 0.25;
  const EncodedCorpus train = toy_corpus(60, 3, 1);
  ParameterStore store(1);
  create_parameters(store, config);
  const auto before = weights_of(store);
  TextTrainer trainer(store, config, train);
  trainer.step();
  const auto by = moved(before, store);
  CHECK(by.at("classifier/output/w") == doctest::Approx(1e-2).epsilon(1e-2));
  CHECK(by.at("encoder1/w_x") == doctest::Approx(1e-2 / 4).epsilon(1e-2));
  CHECK(by.at("encoder0/w_h") == doctest::Approx(1e-2 / 16).epsilon(1e-2));
  CHECK(by.at("embedding") == doctest::Approx(1e-2 / 64).epsilon(1e-2));
}

TEST_CASE("layers are unfrozen one by one, and their first step is a first step of Adam") {
  TrainingConfig config = two_layers();
  config.unfreeze_epochs = 1;
  config.optimizer.ema_decay = 0.9;
  const EncodedCorpus train = toy_corpus(60, 3, 1);
  ParameterStore store(1);
  create_parameters(store, config);
  TextTrainer trainer(store, config, train);
  auto before = weights_of(store);
  train_epoch(trainer);
  auto by = moved(before, store);
  CHECK(by.at("classifier/output/w") > 0);
  CHECK(by.at("encoder1/w_x") == 0);
  CHECK(by.at("embedding") == 0);
  CHECK(trainer.evaluate(train).loss > 0);  // with the averages there are

  before = weights_of(store);
  trainer.step();
  by = moved(before, store);
  CHECK(by.at("encoder1/w_x") == doctest::Approx(1e-2).epsilon(1e-2));
  CHECK(by.at("encoder0/w_x") == 0);
  train_epoch(trainer);

  before = weights_of(store);
  train_epoch(trainer);
  by = moved(before, store);
  CHECK(by.at("encoder0/w_x") > 0);
  CHECK(by.at("embedding") == 0);
  before = weights_of(store);
  trainer.step();
  CHECK(moved(before, store).at("embedding") == doctest::Approx(1e-2).epsilon(1e-2));
}

TEST_CASE("a rate of its own does not make a layer learn before its time") {
  TrainingConfig config = two_layers();
  config.unfreeze_epochs = 1;
  config.optimizer.rate_multipliers = {{"embedding", 0.5}, {"encoder0/w_x", 0.25}};
  const EncodedCorpus train = toy_corpus(60, 3, 1);
  ParameterStore store(1);
  create_parameters(store, config);
  TextTrainer trainer(store, config, train);
  auto before = weights_of(store);
  for (int epoch = 0; epoch < 2; ++epoch) train_epoch(trainer);
  auto by = moved(before, store);
  CHECK(by.at("encoder1/w_x") > 0);
  CHECK(by.at("encoder0/w_x") == 0);
  CHECK(by.at("embedding") == 0);
  train_epoch(trainer);
  before = weights_of(store);
  trainer.step();  // the embedding's first
  by = moved(before, store);
  CHECK(by.at("embedding") == doctest::Approx(0.5e-2).epsilon(1e-2));
}

TEST_CASE("a run resumed amid unfreezing goes on with the same bits") {
  TrainingConfig config = two_layers();
  config.unfreeze_epochs = 1;
  const EncodedCorpus train = toy_corpus(60, 3, 1);
  ParameterStore whole(1);
  TextTrainer first(whole, config, train);
  for (int i = 0; i < 12; ++i) first.step();
  ParameterStore parts(1);
  BatchPosition position;
  {
    TextTrainer trainer(parts, config, train);
    for (int i = 0; i < 10; ++i) trainer.step();
    position = trainer.position();
  }
  TextTrainer trainer(parts, config, train);
  trainer.seek(position);
  trainer.step();
  trainer.step();
  for (const auto& change : moved(weights_of(whole), parts)) {
    CAPTURE(change.first);
    CHECK(change.second == 0);
  }
}

TEST_CASE("groups go from the classes to the embedding") {
  const auto groups = layer_groups(two_layers().model);
  REQUIRE(groups.size() == 4);
  CHECK(groups[1] == std::vector<std::string>{"encoder1/", "encoder_reverse1/"});
  CHECK(groups.back() == std::vector<std::string>{"embedding"});
  TrainingConfig config = two_layers();
  CHECK(unfrozen_groups(config, 0) == 4);
  config.unfreeze_epochs = 2;
  CHECK(unfrozen_groups(config, 1) == 1);
  CHECK(unfrozen_groups(config, 2) == 2);
  CHECK(unfrozen_groups(config, 100) == 4);
}

TEST_CASE("classifiers learn under every kind of perturbation, and virtual adversarial ones read unlabelled texts") {
  const EncodedCorpus train = toy_corpus(300, 3, 1);
  const EncodedCorpus test = toy_corpus(60, 3, 2);
  for (const Perturbation kind : {Perturbation::random, Perturbation::adversarial, Perturbation::virtual_adversarial,
                                  Perturbation::adversarial_virtual_adversarial}) {
    TrainingConfig config = toy_config(TrainingTask::classifier);
    config.adversarial.kind = kind;
    config.adversarial.norm = 0.1F;
    ParameterStore store(1);
    TextTrainer trainer(store, config, train);
    for (int i = 0; i < 300; ++i) trainer.step();
    CHECK(trainer.evaluate(test).error_rate == 0);
  }
  CorpusArrays arrays;
  for (int label : {0, -1, 1}) {
    arrays.tokens.insert(arrays.tokens.end(), {3, 4, 5});
    arrays.end_document(label, "");
  }
  const EncodedCorpus some{std::move(arrays)};
  TrainingConfig config = toy_config(TrainingTask::classifier);
  ParameterStore labelled(1);
  CHECK(TextTrainer(labelled, config, some).documents_per_epoch() == 2);
  config.adversarial.kind = Perturbation::virtual_adversarial;
  ParameterStore all(1);
  CHECK(TextTrainer(all, config, some).documents_per_epoch() == 3);
}

TEST_CASE("settings that make no sense are refused") {
  TrainingConfig config = toy_config(TrainingTask::language_model);
  config.adversarial.kind = Perturbation::adversarial;
  CHECK_THROWS_WITH_AS(check(config), doctest::Contains("adversarial training (at)"), UsageError);
  config = toy_config(TrainingTask::classifier);
  config.layer_rate_decay = 0;
  CHECK_THROWS_AS(check(config), UsageError);
  config = toy_config(TrainingTask::classifier);
  config.adversarial.power_iterations = 0;
  CHECK_THROWS_AS(check(config), UsageError);
}

}  // namespace
}  // namespace eddy
